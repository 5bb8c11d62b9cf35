"""What a worker does with finals, killed at the worst moments: each runs once, from its own seed, and is tested."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import tuners
from support.tuners import EPOCHS, TASK, Killed, lines, make

from experiments.config.finals import Plan, final_seed, plan
from experiments.config.folders import SearchFolder
from experiments.strategy.deaths import DEATHS
from experiments.training.saved import load
from experiments.training.scoring import Scorer
from experiments.training.training import Training
from experiments.worker import build
from experiments.worker.build import make_finals_tuner
from experiments.worker.finals import FinalsTuner
from tracking.journal import Journal

kill = tuners.kill  # the fixture


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SearchFolder:
    """The folder of a search whose only candidate has finals from two seeds."""
    monkeypatch.setattr(build, "use_one_thread", lambda: None)  # TensorFlow has begun in this process
    tuner = make(tmp_path / "t")
    tuner.search()
    folder = tuner.oracle.folder
    (start, *_) = folder.trial(0).journal.events()
    plan(None, {"0000": start["values"]}, EPOCHS, {"seeds": 2, "lengths": [2]}).write(folder.finals)
    replace(tuner.spec, trials=2).write(folder.finals)
    return folder


def finals_tuner(search: SearchFolder, session: str = "B") -> Any:
    from experiments.config.spec import Spec

    return make_finals_tuner(search.finals, Spec.read(search.finals), 0, session)


def ends(search: SearchFolder) -> list[dict[str, Any]]:
    return [trial.journal.events()[-1] for trial in search.finals.trials()]


def test_finals_are_trained_from_fresh_seeds_and_tested(search: SearchFolder) -> None:
    finals_tuner(search).search()
    first, second = search.finals.trials()
    assert [end["outcome"] for end in ends(search)] == ["completed", "completed"]
    assert ends(search)[0]["score"] != ends(search)[1]["score"] != search.trial(0).journal.events()[-1]["score"]
    for index, trial in enumerate((first, second)):
        events = trial.journal.events()
        seed = final_seed(0, index)
        assert events[0]["final"] == {"candidate": "0000", "seed": index, "data_seed": seed}
        tested = next(event for event in events if event["event"] == "execution")
        model = load(trial.model)
        assert tested["test"] == pytest.approx(scored(model, TASK.split("test", seed)), rel=1e-6)
        assert tested["longer"] == {"2": pytest.approx(scored(model, TASK.longer(2).split("test", seed)), rel=1e-6)}
        assert tested["score"] == pytest.approx(scored(model, TASK.split("val", seed)), rel=1e-6)
        assert [line["epoch"] for line in lines(trial)] == list(range(EPOCHS))
        assert sorted(path.name for path in trial.path.iterdir()) == ["journal.jsonl", "lock", "model.keras"]
    finals_tuner(search).search()
    assert len(search.finals.trials()) == 2, "there is nothing left to do"


def scored(model: Any, arrays: tuple[np.ndarray, np.ndarray]) -> float:
    return Scorer(TASK, model, arrays).score()


MOMENTS = {
    "in an epoch": (Training, "run_epoch", lambda self: self.epoch == 2),
    "before its line": (Journal, "append", lambda self, event, **more: event == "epoch" and more["epoch"] == 3),
    "before it is tested": (FinalsTuner, "_tested", lambda self, folder, seed: folder.number == 0),
    "before its end": (Journal, "append", lambda self, event, **more: event == "end"),
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_final_ends_as_if_nothing_had_been(search: SearchFolder, kill: Any, moment: str) -> None:
    kill(*MOMENTS[moment])
    tuner = finals_tuner(search)
    with pytest.raises(Killed):
        tuner.search()
    for trial in tuner.oracle.claimed.values():
        trial.lock.release(force=True)
    finals_tuner(search).search()
    interrupted = [(end["outcome"], end["score"]) for end in ends(search)]
    assert [len(lines(trial)) for trial in search.finals.trials()] == [EPOCHS, EPOCHS]
    for trial in search.finals.trials():
        trial.journal.path.unlink()
    finals_tuner(search).search()
    assert [(end["outcome"], end["score"]) for end in ends(search)] == interrupted


def test_a_final_that_kills_its_workers_has_failed(search: SearchFolder) -> None:
    journal = search.finals.trial(0).journal
    journal.path.parent.mkdir(parents=True)
    for _ in range(DEATHS):
        journal.append("start", session="B", final={"candidate": "0000", "seed": 0})
    tuner = finals_tuner(search)
    tuner.search()
    assert [end["outcome"] for end in ends(search)] == ["failed", "completed"]


def test_two_workers_never_get_the_same_final(search: SearchFolder) -> None:
    one, two = (finals_tuner(search).oracle for _ in range(2))
    assert [one.create_trial("a").trial_id, two.create_trial("b").trial_id] == ["0000", "0001"]
    assert two.create_trial("c").status == "STOPPED" and one.create_trial("a").trial_id == "0000"


def test_a_plan_is_needed(search: SearchFolder) -> None:
    search.finals.plan.unlink()
    assert Plan.read(search.finals) is None
    with pytest.raises(ValueError, match=r"plan\.json: expected the plan of finals, got none"):
        finals_tuner(search)
