"""Workers that end as their index says, for every engine."""

import errno
import os
import time
from typing import Any

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.worker.process import RETIRED
from tracking.errors import BadInput

STATES = ("done", "retired", "full", "refused", "failed")  # how the workers 0 to 4 end
SLEEPS, ASKS = 5, 6  # workers that do not end, and that end as the answer to their message says


class Ending:
    """Has what a worker needs of a tuner.

    Args:
        index: of the worker.
        ask: asks the desk; None on this machine.
    """

    key = ""

    def __init__(self, index: int, ask: Any) -> None:
        self.index, self.ask = index, ask

    def search(self) -> None:
        index = self.ask({"ask": "which"}) if self.index == ASKS else self.index
        if index == SLEEPS:
            time.sleep(600)
        state = STATES[index]
        if state == "retired":
            raise SystemExit(RETIRED)
        if state == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if state == "refused":
            raise BadInput("task: expected another one")
        if state == "failed":
            raise RuntimeError("a fault")


def make(folder: SearchFolder, spec: Spec, index: int, session: str, limit: int | None, ask: Any = None) -> Any:
    return Ending(index, ask)
