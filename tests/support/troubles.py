"""What goes wrong inside trials: a worker's tuner whose trial's width decides how."""

import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from experiments.config.folders import SearchFolder
    from experiments.config.spec import Spec
    from experiments.worker.tuner import SearchTuner

# Widths, and what a model of that width does; a grid begins with the largest.
BUILD, FIT, NAN, INFINITE, SLEEP, MEMORY, ABORT, FINE = range(8, 0, -1)
HUNG_SECONDS = 30.0  # more than a worker needs to import TensorFlow on a busy machine


def trouble_tuner(search: "SearchFolder", spec: "Spec", index: int, session: str, limit: int | None) -> "SearchTuner":
    from experiments.training.training import Training
    from experiments.worker.build import make_tuner

    tuner = make_tuner(search, spec, index, session, limit)
    build, run_epoch = tuner.hypermodel.build, Training.run_epoch

    def broken_build(hyperparameters: Any) -> Any:
        if hyperparameters.values["width"] == BUILD:
            raise RuntimeError("no such width")
        return build(hyperparameters)

    def broken_epoch(self: Training) -> dict[str, float]:
        logs, width = run_epoch(self), next(layer.units for layer in self.model.layers if hasattr(layer, "cell"))
        if self.epoch < 2:
            return logs
        if width == FIT:
            raise ValueError("no third epoch")
        if width == SLEEP:
            time.sleep(3600)
        if width == MEMORY:
            hoard = []
            while True:
                hoard.append(np.ones(2**25))
                time.sleep(0.01)
        if width == ABORT:
            os.abort()
        odd = {NAN: np.nan, INFINITE: np.inf}.get(width)
        return logs if odd is None else {**logs, f"val_{self.task.metric}": odd}

    tuner.hypermodel.build = broken_build
    Training.run_epoch = broken_epoch  # type: ignore[method-assign]
    return tuner


def failing_tuner(search: "SearchFolder", spec: "Spec", index: int, session: str, limit: int | None) -> "SearchTuner":
    """A worker's tuner that cannot build a model of width 32."""
    from experiments.worker.build import make_tuner

    tuner = make_tuner(search, spec, index, session, limit)
    build = tuner.hypermodel.build

    def fail(hyperparameters: Any) -> Any:
        if hyperparameters.values["width"] == 32:
            raise RuntimeError("no such width\nin this house")
        return build(hyperparameters)

    tuner.hypermodel.build = fail
    return tuner
