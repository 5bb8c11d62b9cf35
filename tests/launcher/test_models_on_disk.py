"""Which models stay on disk while the trials of a search end, and which ones of an earlier version do."""

import random
from pathlib import Path

import pytest

from experiments.config.folders import SearchFolder
from experiments.launcher.models import Models
from experiments.launcher.progress import Progress
from tracking.candidates import candidate_in
from tracking.journal import Journal
from tracking.ranking import Preference, kept, may_last, preference


def write(folder: SearchFolder, number: int, score: float, size: int, cell: str = "gru", ms: float = 1.0) -> None:
    """A completed trial with a model."""
    trial = folder.trial(number)
    trial.path.mkdir(parents=True)
    parameters = {"architecture": f"{cell}-16", "cell": cell}
    trial.journal.append("start", session="s", worker=0, parameters=parameters)
    trial.journal.append("built", parameters=size)
    trial.journal.append("end", outcome="completed", score=score, spread=None, ms_per_step=ms)
    trial.model.write_bytes(b"model")


def there(folder: SearchFolder) -> set[int]:
    return {trial.number for trial in folder.trials() if trial.model.exists()}


@pytest.mark.parametrize("wish", ["none", "fast:5%"])
def test_what_is_handed_over_is_there_whenever_a_search_is_stopped(tmp_path: Path, wish: str) -> None:
    """Trials end in any order, a launcher is killed and another one goes on."""
    draw, folder = random.Random(0), SearchFolder(tmp_path)
    progress = Progress(tmp_path / "trials", "min", 60, 1)
    models = Models(folder, "min", preference(wish))
    for place, number in enumerate(draw.sample(range(60), 60)):
        write(folder, number, draw.randrange(30) / 10, draw.randrange(20), draw.choice(["gru", "lstm"]), draw.random())
        if draw.random() < 0.3:
            models.drop(progress.update())
        if place == 30:
            progress = Progress(tmp_path / "trials", "min", 60, 1)
            models = Models(folder, "min", preference(wish))
            models.drop(progress.trials.values())
    models.drop(progress.update())
    found = [trial.candidate for trial in progress.trials.values() if trial.candidate]
    assert {one.number for one in kept(found, "min", preference(wish))} <= there(folder)
    assert len(there(folder)) < 25, "most of them are gone"


def test_the_model_of_a_trial_that_did_not_complete_goes(tmp_path: Path) -> None:
    """A kill came after its model was written, and then it failed."""
    folder = SearchFolder(tmp_path)
    write(folder, 0, 0.5, 10)
    trial = folder.trial(1)
    trial.path.mkdir()
    trial.journal.append("start", session="s", worker=0, parameters={"architecture": "gru-16", "cell": "gru"})
    trial.model.write_bytes(b"model")
    progress, models = Progress(tmp_path / "trials", "min", 3, 1), Models(folder, "min", None)
    models.drop(progress.trials.values())
    assert there(folder) == {0, 1}, "it runs"
    trial.journal.append("end", outcome="failed", score=None, reason="killed its worker 3 times")
    models.drop(progress.update())
    assert there(folder) == {0}


def test_the_one_model_of_an_earlier_version_stays_until_another_one_is_better_in_every_way(tmp_path: Path) -> None:
    """It kept the best score, and of equals the first to end. The models of the other trials are lost."""
    folder = SearchFolder(tmp_path)
    write(folder, 0, 0.5, 10)
    write(folder, 1, 0.5, 20)
    folder.trial(0).model.unlink()
    progress, models = Progress(tmp_path / "trials", "min", 4, 1), Models(folder, "min", None)
    models.drop(progress.trials.values())
    assert there(folder) == {1}
    write(folder, 2, 0.6, 5)
    models.drop(progress.update())
    assert there(folder) == {1, 2}
    write(folder, 3, 0.5, 4)
    models.drop(progress.update())
    assert there(folder) == {3}


def test_a_journal_says_what_is_known_of_a_candidate(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path)
    write(folder, 7, 0.25, 1_040, "lstm", 2.5)
    found = candidate_in(7, folder.trial(7).journal.events())
    assert found is not None
    assert (found.number, found.score, found.parameters, found.ms_per_step, found.cell) == (7, 0.25, 1_040, 2.5, "lstm")
    assert candidate_in(7, Journal(folder.trial(7).journal.path).events()[:-1]) is None
    (same,) = Progress(tmp_path / "trials", "min", 1, 1).trials.values()
    assert same.candidate == found
    assert may_last(found, [found], "min", Preference("small", 0.02)), "nothing is better than itself"
