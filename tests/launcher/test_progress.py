"""What the launcher knows of its trials, kept up to date event by event, against a count over all of them."""

import random
from pathlib import Path
from typing import Any

import pytest

from experiments.launcher.progress import Progress, TrialState
from tracking.journal import Journal


def best_of_all(progress: Progress) -> TrialState | None:
    """Of those with the best score the smallest one, and of equally small ones that with the lowest number."""
    done = [trial for trial in progress.trials.values() if trial.score is not None]
    sign = 1 if progress.direction == "min" else -1
    return min(done, key=lambda trial: (sign * (trial.score or 0.0), trial.parameters, trial.number), default=None)


@pytest.mark.parametrize("direction", ["min", "max"])
@pytest.mark.parametrize("seed", range(3))
def test_counts_and_best_are_those_of_all_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direction: str, seed: int
) -> None:
    rng, clock = random.Random(seed), [1_000]
    monkeypatch.setattr("tracking.journal.now", lambda: clock[0])
    progress = Progress(tmp_path, direction, 40, 3)
    running: list[Journal] = []
    number = ended = 0
    while ended < 40:
        clock[0] += rng.randrange(2)  # some end in the same millisecond
        if number < 40 and (not running or rng.random() < 0.3):
            (tmp_path / f"{number:04d}").mkdir()
            running.append(Journal(tmp_path / f"{number:04d}" / "journal.jsonl"))
            running[-1].append("start", session="s", worker=number % 2, parameters={"architecture": "gru-16"})
            running[-1].append("built", parameters=rng.randrange(1, 4))
            number += 1
        elif rng.random() < 0.5:
            rng.choice(running).append("epoch", execution=0, epoch=0, metrics={"loss": 1.0, "val_mse": 0.1})
        else:
            journal, outcome = (
                running.pop(rng.randrange(len(running))),
                rng.choice(["completed", "completed", "failed"]),
            )
            journal.append("end", outcome=outcome, score=rng.randrange(5) / 10 if outcome == "completed" else None)
            ended += 1
        if rng.random() < 0.6:
            progress.update()
            trials = progress.trials.values()
            assert progress.best() is best_of_all(progress)
            assert progress.done() == sum(bool(trial.outcome) for trial in trials)
            assert progress.units() == sum(3 if trial.outcome else trial.epochs for trial in trials)
            for outcome in ("completed", "failed"):
                assert len(progress.ended(outcome)) == sum(trial.outcome == outcome for trial in trials)
            assert len(progress.running("s")) == sum(not trial.outcome for trial in trials)
    assert len(progress.update()) + progress.done() >= 40
    again = Progress(tmp_path, direction, 40, 3)
    assert again.best().number == progress.best().number  # type: ignore[union-attr]


def write_trial(folder: Path, number: int, cell: str, outcome: str, score: float = 0.5, **more: Any) -> Journal:
    """The journal of a trial that has reported one score; "" as outcome leaves it running."""
    (folder / f"{number:04d}").mkdir()
    journal = Journal(folder / f"{number:04d}" / "journal.jsonl")
    parameters = {"architecture": f"{cell}-16", "cell": cell}
    journal.append("start", session="s", worker=0, parameters=parameters, **more)
    journal.append("epoch", execution=0, epoch=0, metrics={"loss": 1.0, "val_mse": score})
    if outcome:
        journal.append("end", outcome=outcome, score=score if outcome == "completed" else None)
    return journal


@pytest.mark.parametrize("direction", ["min", "max"])
def test_trials_that_continue_others_are_planned_when_all_have_begun(tmp_path: Path, direction: str) -> None:
    write_trial(tmp_path, 0, "gru", "completed")
    write_trial(tmp_path, 1, "lstm", "pruned", 0.2)
    progress = Progress(tmp_path, direction, 3, 1, ["gru", "lstm"])

    def counts() -> tuple[int, int, list[str]]:
        progress.update()
        return progress.planned, progress.left(), [trial.name for trial in progress.due()]

    assert counts() == (3, 1, []), "the third trial may be a completed LSTM"
    running = write_trial(tmp_path, 2, "lstm", "", 0.1)
    assert counts() == (3, 1, [])
    running.append("end", outcome="pruned", score=None)
    best = "0002" if direction == "min" else "0001"
    assert counts() == (4, 1, [best])
    running = write_trial(tmp_path, 3, "lstm", "", continues=int(best))
    assert counts() == (4, 1, [])
    running.append("end", outcome="completed", score=0.3)
    assert counts() == (4, 0, [])
    assert Progress(tmp_path, direction, 3, 1).planned == 4, "what has been continued stays a trial"
    assert Progress(tmp_path, direction, 5, 1, ["gru", "lstm"]).left() == 2, "after --resume --trials 5"


def test_a_small_one_that_ties_with_the_best_score_is_the_best(tmp_path: Path) -> None:
    """The target asks for the best score, whatever it costs."""
    for number, score, spread, parameters in ((0, 0.30, 0.02, 900), (1, 0.31, 0.0, 50), (2, 0.33, 0.0, 5)):
        (tmp_path / f"{number:04d}").mkdir()
        journal = Journal(tmp_path / f"{number:04d}" / "journal.jsonl")
        journal.append("start", session="s", worker=0, parameters={"architecture": "gru-16", "cell": "gru"})
        journal.append("built", parameters=parameters)
        journal.append("end", outcome="completed", score=score, spread=spread)
    progress = Progress(tmp_path, "min", 3, 1)
    found = progress.best(), progress.best_scored()
    assert [trial.name for trial in found if trial] == ["0001", "0000"]
