"""What a person sees while a search runs, and at its end, where there is little room."""

import io
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments.cli.tables import leaderboard
from experiments.launcher.display import Display
from experiments.launcher.progress import Progress
from tracking.journal import Journal
from tracking.standing import conclusions

FLOORS = {"no_memory": 1 / 6}


def trial(number: int, architecture: str, score: float | None, outcome: str = "completed") -> dict[str, Any]:
    return {
        "trial": f"{number:04d}",
        "architecture": architecture,
        "values": {"cell": architecture.split("-")[0], "learning_rate": 0.0012345},
        "score": score,
        "reached": 0.5 if score is None and outcome == "pruned" else score,
        "epochs": 3,
        "spread": None if score is None else 0.01234,
        "parameters": 1_812_345,
        "seconds": 125.0,
        "flops_per_token": 8_768.0,
        "ms_per_step": 12.345,
        "outcome": outcome,
        "reason": "diverged in epoch 0: loss is nan" if outcome == "failed" else None,
    }


def shown(trials: list[dict[str, Any]], width: int = 80, prefer: str = "none") -> str:
    found: dict[str, Any] = {
        "search": "s",
        "task": "adding",
        "metric": "mse",
        "direction": "min",
        "floors": FLOORS,
        "status": "FINISHED",
        "prefer": prefer,
        "trials": trials,
    }
    found |= conclusions(found, ["lstm"])
    console = Console(file=io.StringIO(), width=width)
    leaderboard(console, found)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return str(text)


def test_numbers_are_whole_where_an_architecture_is_long() -> None:
    text = shown([trial(0, "simple_rnn-128+lstm-128+simple_rnn-128+gru-128", 0.23456)])
    for whole in ("0.2346", "0.012", "1,812,345", "0.001234", "0000"):
        assert whole in text
    assert "…" not in text
    assert not any(line.endswith(" ") for line in text.splitlines())
    assert not any(len(line) > 80 for line in text.splitlines())


def test_a_narrow_terminal_loses_no_number_but_the_time() -> None:
    text = shown([trial(0, "simple_rnn-128+lstm-128", 0.23456)], width=40)
    for whole in ("simple_rnn-128", "lstm-128", "0.2346", "0.012", "1,812,345", "0.001234", "0000"):
        assert whole in text
    assert "…" not in text


def test_costs_are_shown_where_there_is_room() -> None:
    one = [trial(0, "gru-16", 0.1)]
    headings, row = shown(one, width=100).splitlines()[-2:]
    assert "parameters" in headings and "flops/token  ms/step" in headings
    assert "8.77k" in row and "12.3 " in row
    assert "flops" not in shown(one, width=99) and "ms/step" not in shown(one, width=99)
    one[0]["spread"] = None
    assert "2 min 5 s" in shown(one), "without spreads there is room for the time"


def test_spreads_are_shown_where_one_trial_has_one() -> None:
    one, other = trial(0, "gru-16", 0.1), trial(1, "gru-32", 0.2)
    other["spread"] = None
    assert "± sd" in shown([one, other]) and "0.012" in shown([one, other])
    assert "± sd" not in shown([other])


def test_pruned_and_failed_trials_are_told_of() -> None:
    text = shown([trial(0, "gru-16", 0.1), trial(1, "gru-32", None, "pruned"), trial(2, "gru-48", None, "failed")])
    assert "1 of 3 trials were pruned" in text
    rows = [line.split() for line in text.splitlines() if line.endswith(("  0000", "  0001", "  0002"))]
    assert rows[0] == ["gru-16", "0.1", "0.1", "3", "1", "1", "1", "0000"], "what the cell came to"
    assert [row[:2] + row[row.index("0.001234") + 1 :] for row in rows[1:]] == [
        ["gru-16", "0.1", "3", "0000"],
        ["gru-32", "0.5", "3", "pruned", "0001"],
        ["gru-48", "-", "3", "failed", "0002"],
    ]
    assert ["lstm", "-", "-", "0", "0", "0", "0", "-"] in [line.split() for line in text.splitlines()], "never tried"
    assert "trial 0002 gru-48 failed: diverged in epoch 0: loss is nan" in text


def test_a_search_without_a_score() -> None:
    assert "no trial has completed" in shown([trial(0, "gru-16", None, "failed")])
    text = shown([trial(0, "gru-16", None, "pruned")])
    assert "no trial has completed" in text and "Best by cell" in text


def test_twelve_rows_and_the_best_of_each_cell() -> None:
    trials = [trial(number, "gru-16", number / 100) for number in range(20)] + [trial(20, "simple_rnn-16", 9.0)]
    for one in trials:
        one["spread"] = None
    text = shown(trials)
    assert "Best 12 of 21 trials" in text
    below = text[text.index("Best 12 of 21 trials") :]
    assert [line.split()[-1] for line in below.splitlines()[2:]] == [f"{number:04d}" for number in (*range(12), 20)]


def test_a_cell_without_a_completed_trial_is_marked() -> None:
    trials = [trial(0, "gru-16", 0.6), trial(1, "lstm-16", None, "pruned")]
    assert ["lstm-16", "0.5", "*", "-", "1", "0", "1", "0", "0001"] in [
        line.split() for line in shown(trials).splitlines()
    ]
    assert "the score is the last one (* in the upper table)" in shown(trials)
    assert "*" not in shown(trials[:1])


def test_the_time_gives_way_to_long_names() -> None:
    one = trial(0, "simple_rnn-128x2", 0.12345)
    assert "2 min 5 s" not in shown([one]) and "simple_rnn-128x2" in shown([one]).splitlines()[-1]
    assert "2 min 5 s" in shown([one], width=100)


def test_ties_and_the_preferred_one_are_told_of() -> None:
    trials = [trial(0, "gru-64", 0.1), trial(1, "gru-32", 0.105), trial(2, "gru-16", 0.2)]
    for one, size in zip(trials, (900, 800, 10), strict=True):
        one["parameters"], one["spread"] = size, 0.01
    text = shown(trials, prefer="small:100%")
    assert "2 trials tie with the best score; the smallest one comes first" in text
    assert "--prefer small:100% takes trial 0001 gru-32: MSE 0.105, 800 parameters, 12.3 ms/step" in text
    assert "--prefer" not in shown(trials)


def test_lines_count_up(tmp_path: Path) -> None:
    told = io.StringIO()
    progress = Progress(tmp_path, "min", regular=2, epochs=1)
    display = Display(Console(file=told, width=100), progress, "mse", FLOORS, 0.001, 1, "s", lambda: 61.0)
    for number, score in enumerate((0.25, None)):
        (tmp_path / f"{number:04d}").mkdir()
        journal = Journal(tmp_path / f"{number:04d}" / "journal.jsonl")
        journal.append("start", session="s", worker=0, parameters={"architecture": "gru-16"})
        journal.append("built", parameters=1_234)
        outcome = "failed" if score is None else "completed"
        journal.append("end", outcome=outcome, score=score, seconds=61.0, reason="no [bold]memory")
    with display:
        display.tick()
        display.tick()
    first, second = sorted(told.getvalue().splitlines(), key=lambda line: "0001" in line)
    assert sorted(line.split()[0] for line in (first, second)) == ["1/2", "2/2"]
    assert " ".join(first.split()[1:]) == "0000 gru-16 MSE 0.25 1,234 parameters 1 min 1 s no better than no memory"
    assert second.split()[1:] == ["0001", "gru-16", "failed:", "no", "[bold]memory"]


def test_a_terminal_shows_who_does_what(tmp_path: Path) -> None:
    told = io.StringIO()
    console = Console(file=told, width=120, force_terminal=True, color_system=None)
    journals = [Journal(tmp_path / name / "journal.jsonl") for name in ("0000", "0001")]
    for journal in journals:
        journal.path.parent.mkdir()
    values = {"architecture": "gru-16x2", "learning_rate": 0.0125}
    journals[0].append("start", session="s", worker=1, parameters=values)
    journals[0].append("epoch", execution=0, epoch=0, metrics={"loss": 1.0, "val_mse": 0.125})
    progress = Progress(tmp_path, "min", regular=8, epochs=3)
    with Display(console, progress, "mse", FLOORS, 0.001, 3, "s", lambda: 61.0) as display:
        journals[1].append("start", session="killed launcher", worker=0, parameters=values)
        journals[0].append("epoch", execution=0, epoch=1, metrics={"loss": 0.5, "val_mse": 0.0625})
        display.tick()
        screen = Console(file=(drawn := io.StringIO()), width=120)
        screen.print(display.screen())
    lines = drawn.getvalue().splitlines()
    assert "0/8 trials" in lines[0] and "1 running" in lines[0] and "about 1 min 1 s left" in lines[0]
    assert lines[1].split() == ["worker", "trial", "candidate", "learning", "rate", "epoch", "MSE"]
    assert lines[2].split() == ["1", "0000", "gru-16x2", "0.0125", "3/3", "0.0625"]
    assert lines[3].startswith("best MSE -") and "no memory 0.1667; solved: 0.001 or less" in lines[3]


def test_the_display_counts_the_epochs_of_the_execution_that_runs(tmp_path: Path) -> None:
    (tmp_path / "0000").mkdir()
    journal = Journal(tmp_path / "0000" / "journal.jsonl")
    values = {"architecture": "gru-16", "learning_rate": 0.1}
    journal.append("start", session="s", worker=0, parameters=values)
    display = Display(Console(), Progress(tmp_path, "min", 1, 20), "mse", {}, None, 10, "s", lambda: 61.0)

    def shown() -> str:
        display.progress.update()
        screen = Console(file=(drawn := io.StringIO()), width=120)
        screen.print(display.screen())
        return drawn.getvalue().splitlines()[2].split()[-2]

    for epoch in range(4):  # then patience ends the first execution
        journal.append("epoch", execution=0, epoch=epoch, metrics={"loss": 0.5, "val_mse": 0.25})
    assert shown() == "5/10"
    journal.append("execution", execution=0, score=0.25)
    assert shown() == "1/10"
    journal.append("epoch", execution=1, epoch=0, metrics={"loss": 0.5, "val_mse": 0.25})
    assert shown() == "2/10"


def test_a_narrow_terminal_shows_the_candidates(tmp_path: Path) -> None:
    (tmp_path / "0000").mkdir()
    values = {"architecture": "simple_rnn-128+lstm-128", "learning_rate": 0.0125}
    journal = Journal(tmp_path / "0000" / "journal.jsonl")
    journal.append("start", session="s", worker=0, parameters=values)
    journal.append("epoch", execution=0, epoch=1, metrics={"loss": 1.0, "val_mse": 0.123456})
    screen = Console(file=(drawn := io.StringIO()), width=40, force_terminal=True, color_system=None)
    screen.print(Display(screen, Progress(tmp_path, "min", 8, 3), "mse", FLOORS, None, 3, "s", lambda: 61.0).screen())
    lines = drawn.getvalue().splitlines()
    assert all(len(line) <= 40 for line in lines)
    headings = next(place for place, line in enumerate(lines) if line.startswith("trial"))
    assert lines[headings].split() == ["trial", "candidate", "epoch", "MSE"]
    shown = " ".join(lines[headings + 1].split()[1:2] + lines[headings + 2].split()[:1]).replace(" ", "")
    assert shown == "simple_rnn-128+lstm-128" and "0.1235" in lines[headings + 1]
