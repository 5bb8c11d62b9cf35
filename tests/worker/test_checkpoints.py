"""Checkpoints by time: fewer are written, and whatever is killed, the trial ends as it would have."""

from pathlib import Path
from typing import Any

import pytest
from support import tuners
from support.tuners import EPOCHS, Killed, Noting, killed, lines, make

from experiments.system import files
from experiments.training.training import Training, read_state
from experiments.worker import checkpoints
from experiments.worker.execution import RecurrentTuner
from tracking.journal import Journal

pytestmark = pytest.mark.usefixtures("untraced")
kill = tuners.kill  # the fixture
LONG = 1000.0  # seconds; no training of a test takes so long


def told(folder: Path) -> list[Any]:
    """What a trial says of its epochs and its end."""
    (trial,) = make(folder).oracle.folder.trials()
    end = trial.journal.events()[-1]
    epochs = [(line["epoch"], line["metrics"]) for line in lines(trial)]
    return [epochs, *(end.get(name) for name in ("outcome", "score", "epoch", "reason")), trial.model.exists()]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are written for checkpoints."""
    names: list[str] = []

    def write(path: Path, content: bytes) -> None:
        names.append(path.name)
        files.write_bytes(path, content)

    monkeypatch.setattr(checkpoints, "write_bytes", write)
    return names


def test_the_first_epoch_and_the_last_one_are_written(tmp_path: Path, written: list[str]) -> None:
    make(tmp_path / "each").search()
    each, written[:] = list(written), []
    make(tmp_path / "few", checkpoint_seconds=LONG).search()
    assert len(each) == EPOCHS and 2 <= len(written) <= 3 and written[0] == "execution0-epoch0.npz"
    assert told(tmp_path / "few") == told(tmp_path / "each")


def test_one_is_written_when_the_time_has_come(tmp_path: Path, written: list[str], monkeypatch: Any) -> None:
    clock = iter(range(0, 10_000, 10))  # it is read once or twice an epoch
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(clock))
    make(tmp_path, checkpoint_seconds=15.0).search()
    assert 3 <= len(written) < EPOCHS + 2


def test_the_best_weights_between_two_writes_are_kept(tmp_path: Path, kill: Any, monkeypatch: Any) -> None:
    """The best epoch is neither the first nor the last one, so that it was in memory alone."""

    def improved(self: Training) -> bool:
        if self.epoch not in (0, 2):
            return False
        self.best, self.best_epoch = self.logs["val_mse"], self.epoch
        return True

    monkeypatch.setattr(Training, "improved", improved)
    kill(Journal, "append", lambda self, event, **fields: event == "execution")
    trial = killed(make(tmp_path, checkpoint_seconds=LONG))
    assert read_state(trial.checkpoint)["best_epoch"] == 2
    best = read_state(trial.execution_weights(0, 2))
    assert (best["epoch"], best["logs"]) == (2, lines(trial)[2]["metrics"])
    assert not trial.execution_weights(0, 0).exists()


MOMENTS = {
    "in an epoch": (Training, "run_epoch", lambda self: self.epoch == 3),
    "after its line": (RecurrentTuner, "_stop_reason", lambda self, training, seconds: training.epoch == 3),
    "at the last write": (checkpoints.Checkpoints, "write", lambda self: self.training.epoch == EPOCHS - 1),
    "before it is measured": (Journal, "append", lambda self, event, **fields: event == "trained"),
    "before its end": (Journal, "append", lambda self, event, **fields: event == "end"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_changes_nothing(tmp_path: Path, kill: Any, moment: str) -> None:
    make(tmp_path / "whole").search()
    kill(*MOMENTS[moment])
    with pytest.raises(Killed):
        tuner = make(tmp_path / "killed", checkpoint_seconds=LONG)
        tuner.search()
    for trial in tuner.oracle.claimed.values():
        trial.lock.release(force=True)
    make(tmp_path / "killed", checkpoint_seconds=LONG).search()
    assert told(tmp_path / "killed") == told(tmp_path / "whole")


def test_a_pruner_is_not_asked_again_for_epochs_that_are_trained_again(tmp_path: Path, kill: Any) -> None:
    kill(Training, "run_epoch", lambda self: self.epoch == 3)
    first, second = Noting(), Noting()
    killed(make(tmp_path, first, LONG))
    make(tmp_path, second, LONG).search()
    assert first.steps == [1, 2, 3, 4] and second.steps == [4], "and after the last recorded one it is"


def test_a_pruned_trial_leaves_the_checkpoint_of_its_last_epoch(tmp_path: Path) -> None:
    tuner = make(tmp_path, Noting(last=3), LONG, allocate="equal", cells=["simple_rnn"])
    tuner.search()
    first = tuner.oracle.folder.trial(0)
    assert first.journal.events()[-1]["outcome"] == "pruned"
    (second,) = tuner.oracle.folder.trials()[1:]
    assert [line["epoch"] for line in lines(second)] == list(range(EPOCHS)), "another trial goes on with it"
    assert second.journal.events()[-1]["outcome"] == "completed"
