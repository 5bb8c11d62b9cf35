"""Finals from Python: those of the command."""

from pathlib import Path
from typing import Any

import pytest
from support.once import copied
from support.searching import Searched

from experiments import open_search
from experiments.errors import BadInput


def test_finals_are_those_of_the_search(searched: Searched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(searched.folder)
    found = open_search("t")
    assert found.results["finals"] is None
    finals = found.finals(seeds=2, epochs=1, workers=1, show=False)
    assert finals["complete"] and found.results["finals"] == finals
    cells = {trial["values"]["cell"] for trial in found.ranked}
    assert {one["cell"] for one in finals["candidates"]} == cells
    scores = {run.data.metrics["test/mse"] for run in searched.runs("final")}
    assert scores == {score for one in finals["candidates"] for score in one["test"]} and len(scores) == 2 * len(cells)
    assert open_search("t").results["finals"] == finals, "whoever reads it"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seeds": 0}, "seeds: expected a whole number from 1"),
        ({"lengths": ["x"]}, "lengths: expected a whole number"),
        ({"data": "test"}, "data: expected train or train.val, got 'test'"),
        ({"workers": 0}, "workers: expected a whole number from 1, or auto"),
        ({"time_limit": "soon"}, "time_limit: expected a duration"),
    ],
    ids=str,
)
def test_finals_that_cannot_be(
    searched: Searched, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(searched.folder)
    with pytest.raises(BadInput, match=f"^{message}"):
        open_search("t").finals(**given)


def test_a_trial_is_trained_further(searched: Searched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(copied(searched.folder, (tmp_path / "copy").resolve()))
    found = open_search("t")
    training = found.train(1, trial=int(found.ranked[0]["trial"]), start="anew", workers=1, show=False)
    assert training == found.results["trained"][0] and training["training"] == f"{found.ranked[0]['trial']}-1-anew"
    card = found.export("longer", run=training["training"])
    assert card["model_score"] == training["score"] and card["trained"]["start"] == "anew"


@pytest.mark.slow
def test_a_training_that_runs_out_of_time_is_not_complete(
    searched: Searched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(copied(searched.folder, (tmp_path / "copy").resolve()))
    found = open_search("t").train(500, start="anew", workers=1, time_limit="1s", show=False)
    assert (found["complete"], found["run"]) == (False, None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": 0}, "epochs: expected a whole number from 1"),
        ({"epochs": 1, "trial": -1}, "trial: expected a whole number from 0"),
        ({"epochs": 1, "start": "scratch"}, "start: expected weights or anew, got 'scratch'"),
        ({"epochs": 1, "seeds": "x"}, "seeds: expected a whole number"),
    ],
    ids=str,
)
def test_a_training_that_cannot_be(
    searched: Searched, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(searched.folder)
    with pytest.raises(BadInput, match=f"^{message}"):
        open_search("t").train(**given)
