"""Writes the checkpoints of one execution, from which it resumes."""

import time
from typing import Any

from experiments.config.folders import TrialFolder
from experiments.system.files import link, write_bytes
from experiments.training.training import Training


class Checkpoints:
    """The checkpoint and the best weights of an execution, as files of its trial.

    The first epoch is written, and then one whenever `seconds` have passed since the last write. In between the best
    weights stay in memory. The weights of the best epoch have a file of their own, which is written before the
    checkpoint. The file of the former best epoch is removed after the checkpoint. So a kill at any moment leaves a
    checkpoint whose best weights exist.

    Args:
        seconds: between two writes; 0: every epoch is written.
    """

    def __init__(self, folder: TrialFolder, execution: int, training: Training, seconds: float) -> None:
        self.folder, self.execution, self.training, self.seconds = folder, execution, training, seconds
        self.written: float | None = None  # when, by the clock of time.monotonic; None if this process has not written
        self.state: dict[str, Any] = {}  # of the last epoch, if it is not written yet
        self.best: bytes | None = None  # the weights of the best epoch, if they are not written yet

    def take(self, **more: Any) -> dict[str, Any]:
        """Takes the state after an epoch, which has all fields of the "epoch" event; returns it.

        Args:
            more: further fields of the state.
        """
        better = self.training.improved()
        self.state = state = self.training.state(execution=self.execution, **more)
        if better:
            self.best = None
        if self.written is None or time.monotonic() - self.written >= self.seconds:
            self.write()
        elif better:
            self.best = self.training.packed(state)
        return state

    def write(self) -> None:
        """Writes what is not written yet."""
        if not self.state:
            return
        training, folder = self.training, self.folder
        best, content = folder.execution_weights(self.execution, training.best_epoch), training.packed(self.state)
        if training.best_epoch == training.epoch:
            write_bytes(best, content)
            link(folder.checkpoint, best)
        else:
            if self.best:
                write_bytes(best, self.best)
            write_bytes(folder.checkpoint, content)
        for path in folder.path.glob(f"execution{self.execution}-*"):
            if path != best:
                path.unlink()
        self.written, self.state, self.best = time.monotonic(), {}, None
