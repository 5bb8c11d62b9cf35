"""The benchmark of strategies on a table of trainings: what an epoch costs, what is found, and how a table is made."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.benchmarks import regret, regret_searches
from experiments.benchmarks.regret import target, until
from experiments.benchmarks.regret_searches import Budget, Spent, regrets
from experiments.benchmarks.regret_table import Table, build
from experiments.config.folders import SearchFolder

EPOCHS, EXECUTIONS = 9, 2


def written(folder: Path, widths: int = 4) -> Path:
    """Two cells; the wider the better, and every epoch better than the one before."""
    points = [{"cell": cell, "width": width} for cell in ("gru", "lstm") for width in range(1, widths + 1)]
    scores = [point["width"] + 0.25 * (point["cell"] == "gru") for point in points]
    curves = [
        [[10 - score - epoch / 100 - run / 1000 for epoch in range(EPOCHS)] for run in range(EXECUTIONS)]
        for score in scores
    ]
    path = folder / "table.json.gz"
    path.write_bytes(
        gzip.compress(json.dumps({"facts": {}, "direction": "min", "points": points, "curves": curves}).encode())
    )
    return path


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(written(tmp_path))


def test_a_table(table: Table) -> None:
    assert table.values == {"cell": ["gru", "lstm"], "width": [1, 2, 3, 4]}
    assert table.regrets == pytest.approx([3, 2, 1, 0, 3.25, 2.25, 1.25, 0.25])


def test_a_budget_counts_epochs_and_knows_what_has_been_found(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regret_searches, "TRAININGS", (1,))
    budget = Budget(table, 0)
    for values, epoch in (({"cell": "gru", "width": 1}, 0), ({"cell": "gru", "width": 3}, 0)):
        budget.train(values, 0, epoch)
    assert budget.train({"cell": "lstm", "width": 2}, 1, 8) == pytest.approx(10 - 2 - 0.08 - 0.001)
    assert budget.regrets == pytest.approx([3, 1, 1])
    assert budget.whole() == pytest.approx([3, *[1] * 8])
    for _ in range(6):
        budget.train({"cell": "gru", "width": 1}, 0, 0)
    with pytest.raises(Spent):
        budget.train({"cell": "gru", "width": 1}, 0, 0)
    assert len(budget.regrets) == EPOCHS


def seen(table: Table, side: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, int, int]]:
    """Every (point, execution, epoch) that a strategy looks at."""
    looked: list[tuple[Any, int, int]] = []
    train = Budget.train

    def noted(self: Budget, values: dict[str, Any], execution: int, epoch: int) -> float:
        score = train(self, values, execution, epoch)
        looked.append((table.key(values), execution, epoch))
        return score

    monkeypatch.setattr(Budget, "train", noted)
    found, _ = regrets(table, side, 0)
    assert len(found) == regret.TRAININGS[-1] * EPOCHS
    return looked


@pytest.mark.parametrize("side", ["ours, tpe, none", "ours, random, none"])
def test_ours_without_pruner_looks_at_everything_once(table: Table, side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = seen(table, side, monkeypatch)
    assert len(looked) == len({(point, epoch) for point, _, epoch in looked}) == 8 * EPOCHS


def test_ours_with_halving_gives_up_after_three_epochs(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = seen(table, regret.DEFAULT, monkeypatch)
    given = [sum(point == one for point, _, _ in looked) for one in {point for point, _, _ in looked}]
    assert len(given) == 8 and set(given) == {3, EPOCHS}


def test_a_promoted_trial_of_keras_tuner_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(written(tmp_path, 8))  # its Hyperband promotes nothing where its first rung is not full
    looked = seen(table, "keras tuner, hyperband", monkeypatch)
    assert len(looked) == len(set(looked)), "no epoch is paid twice"
    epochs = {point: [epoch for each, _, epoch in looked if each == point] for point, _, _ in looked}
    assert any(len(found) > 1 for found in epochs.values())
    assert all(found == list(range(len(found))) for found in epochs.values())
    executions = {point: {run for each, run, _ in looked if each == point} for point in epochs}
    assert {len(found) for found in executions.values()} == {1}


def test_keras_tuners_random_search_trains_to_the_end(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = seen(table, "keras tuner, random", monkeypatch)
    assert len(looked) % EPOCHS == 0 and [epoch for _, _, epoch in looked[:EPOCHS]] == list(range(EPOCHS))


def test_the_epochs_until_a_regret() -> None:
    assert until(np.array([3.0, 1.0, 1.0]), 1.0) == "2"
    assert until(np.array([3.0, 1.0, 1.0]), 0.5) == "-"


def test_the_target() -> None:
    medians = {regret.DEFAULT: np.array([3.0, 2.0, 1.0, 0.5]), "keras tuner, random": np.array([4.0, 3.0, 2.5, 2.0])}
    assert "after 2 epochs, 0.50 of 4 " in target(medians, "keras tuner, random")
    medians["keras tuner, random"][-1] = 0.25
    assert "does not reach the 0.25" in target(medians, "keras tuner, random")


def finished(folder: Path, outcome: str) -> SearchFolder:
    search = SearchFolder(folder)
    for number, width in enumerate((8, 16)):
        trial = search.trial(number)
        trial.path.mkdir(parents=True)
        trial.journal.append("start", values={"cell": "gru", "width": width, "learning_rate": 0.1})
        for run in range(EXECUTIONS):
            for epoch in range(2):
                trial.journal.append(
                    "epoch", execution=run, epoch=epoch, metrics={"val_mse": number + run / 10 + epoch / 1e9}
                )
        trial.journal.append("end", outcome=outcome)
    facts = {"task": "adding", "options": {}, "epochs": 2, "executions": EXECUTIONS, "commit": "c", "versions": {}}
    search.spec.write_text(json.dumps({**facts, "id": "x", "name": "s"}))
    return search


def test_a_table_is_made_from_a_searchs_journals(tmp_path: Path) -> None:
    build(finished(tmp_path / "s", "completed").path, tmp_path / "made.json.gz")
    made = Table(tmp_path / "made.json.gz")
    assert made.points == [{"width": 8}, {"width": 16}], "what is the same in all trials is left out"
    assert made.curves.tolist() == [[[0.0, 1e-9], [0.1, 0.1]], [[1.0, 1.0], [1.1, 1.1]]], "five digits"
    assert made.facts["commit"] == "c" and "id" not in made.facts


def test_no_table_is_made_from_a_search_with_failed_trials(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a search of completed trials, got 0000"):
        build(finished(tmp_path / "s", "failed").path, tmp_path / "made.json.gz")


def test_an_unknown_side_is_refused_before_anything_is_searched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["regret", "--sides", "ours, tpe, halving;ours, tpe, halfing"])
    with pytest.raises(SystemExit) as end:
        regret.main()
    assert end.value.code == 2 and "got 'ours, tpe, halfing'" in capsys.readouterr().err
