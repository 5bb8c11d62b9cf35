"""Finals and trainings whose workers reach their folder by messages alone are those of local workers."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.tuners import EPOCHS, TASK, Killed, make

from experiments.config.finals import plan, training_name
from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.engines.desk import Desk
from experiments.launcher.engine import job_of, opened
from experiments.system.files import link
from experiments.worker import build
from experiments.worker.build import make_finals_oracle, make_finals_tuner, make_remote_finals_tuner
from experiments.worker.job import work_remotely
from experiments.worker.process import DONE


@pytest.fixture(params=["finals", "weights"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SearchFolder:
    """The folder of two finals, or of two trainings that begin with the weights of a trial."""
    monkeypatch.setattr(build, "use_one_thread", lambda: None)  # TensorFlow has begun in this process
    tuner = make(tmp_path / "t")
    tuner.search()
    search, finals = tuner.oracle.folder, request.param == "finals"
    folder = search.finals if finals else search.trained(training_name("0000", EPOCHS, "weights"))
    wanted = {"seeds": 2, "lengths": [2]} if finals else {"seeds": 2, "start": "weights"}
    plan(None, {"0000": search.trial(0).journal.events()[0]["values"]}, EPOCHS, wanted).write(folder)
    if not finals:
        link(folder.start, search.trial(0).model)
    replace(tuner.spec, trials=2).write(folder)
    return folder


def told(place: SearchFolder) -> list[list[dict[str, Any]]]:
    """What the journals say of seeds and scores."""
    names = ("event", "epoch", "metrics", "score", "test", "longer", "final", "outcome", "attempt")
    return [
        [{name: event[name] for name in names if name in event} for event in trial.journal.events()]
        for trial in place.trials()
    ]


def test_they_equal_those_of_a_local_worker(place: SearchFolder) -> None:
    spec = Spec.read(place)
    make_finals_tuner(place, spec, 0, "s").search()
    here = told(place)
    assert [len([event for event in trial if event["event"] == "epoch"]) for trial in here] == [EPOCHS, EPOCHS]
    shutil.rmtree(place.path / "trials")

    made = build.Plan.read(place)
    assert made is not None
    desk = Desk(place, lambda: opened(spec, TASK, 64, partial(make_finals_oracle, place, made, "s")))
    job, asked = job_of(make_remote_finals_tuner, place, place.code, spec, TASK, "s"), 0

    def ask(key: str, message: dict[str, Any]) -> Any:
        nonlocal asked
        asked += 1
        if key == "lost" and asked == 6:  # after some epochs of the first one
            raise Killed
        return desk.answer([(key, message)])[0]

    with pytest.raises(Killed):
        work_remotely(job, 0, "lost", None, partial(ask, "lost"))
    desk.release("lost", lost=True)
    assert work_remotely(job, 1, "other", None, partial(ask, "other")) == DONE
    desk.close()
    there = told(place)
    assert there[1] == here[1]
    assert [event for event in there[0] if event["event"] not in ("start", "lost", "built")] == [
        event for event in here[0] if event["event"] not in ("start", "built")
    ]
    assert [event["attempt"] for event in there[0] if event["event"] == "start"] == [1, 2]
    models = [sorted(path.name for path in trial.path.iterdir()) for trial in place.trials()]
    assert models == [["journal.jsonl", "lock", "model.keras"]] * 2
