"""What a worker does with a trial that is trained further: it begins where it should, and survives kills."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import tuners
from support.tuners import EPOCHS, TASK, Killed, lines, make

from experiments.config.finals import plan, training_name
from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.system.files import link
from experiments.training.saved import load
from experiments.training.scoring import Scorer
from experiments.training.training import Training
from experiments.worker import build
from experiments.worker.build import make_finals_tuner
from experiments.worker.trained import TrainedTuner

kill = tuners.kill  # the fixture
MORE = 3  # epochs


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> SearchFolder:
    """The folder of a search with one trial."""
    monkeypatch.setattr(build, "use_one_thread", lambda: None)  # TensorFlow has begun in this process
    tuner = make(tmp_path / "t", schedule=getattr(request, "param", "constant"))
    tuner.search()
    return tuner.oracle.folder


def planned(search: SearchFolder, start: str) -> SearchFolder:
    """The folder of a training of two seeds."""
    (begun, *_) = search.trial(0).journal.events()
    place = search.trained(training_name("0000", MORE, start))
    plan(None, {"0000": begun["values"]}, MORE, {"seeds": 2, "start": start}).write(place)
    spec = make(search.path.parent / start).spec
    replace(spec, trials=2, epochs=MORE).write(place)
    if start == "weights":
        link(place.start, search.trial(0).model)
    return place


def tuner_of(place: SearchFolder) -> Any:
    return make_finals_tuner(place, Spec.read(place), 0, "B")


@pytest.mark.parametrize("search", ["constant", "cosine"], indirect=True)
def test_it_goes_on_from_the_weights_and_the_optimizer_of_the_trial(search: SearchFolder) -> None:
    place = planned(search, "weights")
    tuner, saved = tuner_of(place), load(search.trial(0).model, compiled=True)
    assert isinstance(tuner, TrainedTuner)
    trial = tuner.oracle.create_trial("a")
    tuner.on_trial_begin(trial)
    training = tuner._build_training(trial, place.trial(0), 0)
    for ours, theirs in zip(training.trained.get_weights(), saved.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    ours, theirs = ([np.asarray(one) for one in model.optimizer.variables] for model in (training.trained, saved))
    if tuner.spec.schedule == "constant":
        assert all(np.array_equal(*pair) for pair in zip(ours, theirs, strict=True)) and ours[0] > 0
    else:
        assert not any(one.any() for one in ours), "a schedule begins anew, and with it the optimizer"
    end = search.trial(0).journal.events()[-1]
    assert Scorer(TASK, training.model, tuner.val).score() == pytest.approx(end["score"], rel=1e-6)


@pytest.mark.parametrize("start", ["weights", pytest.param("anew", marks=pytest.mark.slow)])
def test_every_seed_is_trained_on_the_data_of_the_search(search: SearchFolder, start: str) -> None:
    place = planned(search, start)
    tuner_of(place).search()
    ends = [trial.journal.events()[-1] for trial in place.trials()]
    assert [end["outcome"] for end in ends] == ["completed", "completed"] and ends[0]["score"] != ends[1]["score"]
    for index, trial in enumerate(place.trials()):
        about = {"candidate": "0000", "seed": index, "data_seed": 0, "epochs": MORE, "start": start}
        assert trial.journal.events()[0]["final"] == {**about, "training": f"0000-{MORE}-{start}"}
        assert [line["epoch"] for line in lines(trial)] == list(range(MORE))
        model = load(trial.model)
        tested = next(event for event in trial.journal.events() if event["event"] == "execution")
        assert tested["score"] == pytest.approx(Scorer(TASK, model, TASK.split("val", 0)).score(), rel=1e-6)
        assert "test" not in tested
    begun, again = (lines(folder.trial(0))[0]["metrics"]["val_mse"] for folder in (search, place))
    assert again < begun or start == "anew", "a trained model begins with a better score"


@pytest.mark.slow
def test_a_kill_changes_nothing(search: SearchFolder, kill: Any) -> None:
    """In an epoch; tests/worker/test_finals_tuner.py has the other moments."""
    place = planned(search, "weights")
    kill(Training, "run_epoch", lambda self: self.epoch == 1)
    tuner = tuner_of(place)
    with pytest.raises(Killed):
        tuner.search()
    for trial in tuner.oracle.claimed.values():
        trial.lock.release(force=True)
    tuner_of(place).search()
    interrupted = [trial.journal.events()[-1]["score"] for trial in place.trials()]
    assert [len(lines(trial)) for trial in place.trials()] == [MORE, MORE]
    for trial in place.trials():
        trial.journal.path.unlink()
    tuner_of(place).search()
    assert [trial.journal.events()[-1]["score"] for trial in place.trials()] == interrupted
    assert len(lines(search.trial(0))) == EPOCHS, "the trial itself stays as it is"
