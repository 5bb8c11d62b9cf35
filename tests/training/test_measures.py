"""What is measured of a candidate beside its score: of the right weights, and not where it is not wanted."""

from pathlib import Path
from typing import Any

import pytest
from support.tuners import TASK, kill, killed, make  # noqa: F401  kill is a fixture

from experiments.config.folders import TrialFolder
from experiments.tasks.loading.find import make as make_task
from experiments.training.measures import measure_horizons, step_time
from experiments.training.training import Training
from search_spaces import horizon
from search_spaces.horizon import measure
from search_spaces.recurrent import RecurrentSpace


def test_a_trial_has_a_horizon_unless_it_is_not_wanted(tmp_path: Path) -> None:
    for no_horizon in (False, True):
        tuner = make(tmp_path / str(no_horizon), no_horizon=no_horizon)
        tuner.search()
        *_, trained, executed, end = tuner.oracle.folder.trial(0).journal.events()
        assert [event["event"] for event in (trained, executed)] == ["trained", "execution"]
        assert end["outcome"] == "completed" and end["ms_per_step"] > 0
        assert ("horizon" in end) is not no_horizon


def test_the_horizon_at_first_is_of_the_weights_before_training(tmp_path: Path, kill: Any) -> None:  # noqa: F811
    whole, again = make(tmp_path / "whole"), make(tmp_path / "killed")
    whole.search()
    kill(Training, "run_epoch", lambda self: self.epoch == 2)
    trial = killed(again)
    make(tmp_path / "killed").search()
    ends = [one.journal.events()[-1]["horizon"] for one in (whole.oracle.folder.trial(0), trial)]
    assert ends[0] == ends[1]
    training = whole._build_training(
        whole.oracle.trials["0000"], TrialFolder(tmp_path / "killed" / "trials" / "0000"), 0
    )
    first = measure(training.model, training.model.get_weights(), TASK.steps)
    assert ends[0]["init"] == first["init"] == first["trained"] != ends[0]["trained"]


@pytest.mark.parametrize(
    ("name", "options", "batch", "expected"),
    [
        ("adding", {"length": "120", "train": "64", "val": "8", "test": "8"}, 32, 32),
        ("adding", {"length": "120", "train": "20", "val": "8", "test": "8"}, 32, 20),  # the only batch is smaller
        ("temporal_order", {"train": "64", "val": "8", "test": "8"}, 32, 0),  # padded: its programs read a mask
        ("char_lm", {"window": "120"}, 32, 0),  # its programs carry a state
    ],
)
def test_what_training_has_compiled_serves_the_horizon(
    name: str, options: dict[str, str], batch: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(horizon, "measure", lambda *_, compiled, **__: told.append(compiled) or {})
    task = make_task(name, options)
    space = RecurrentSpace(task.outputs, task.loss, task.features, task.tokens, padding=task.padding, asked="xla")
    model = space.stack([("simple_rnn", 8)], 0.0)
    model.compile("adam", "mse")
    training = Training(model, task, task.split("train", 0), task.split("val", 0), batch, 0, (0, 0))
    measure_horizons(model, model.get_weights(), task, training.probe_samples)
    assert told == [expected]


def test_the_pace_is_that_of_all_epochs_but_the_first_of_a_process() -> None:
    seconds = [9.0, 0.2, 8.0, 0.4, 0.3]  # a second process went on after two epochs
    epochs = [{"epoch": epoch, "training": each, "traced": each > 1} for epoch, each in enumerate(seconds)]
    assert step_time(epochs, 100) == {"ms_per_step": pytest.approx(3.0)}
    assert step_time(epochs[:1], 100) == {}
