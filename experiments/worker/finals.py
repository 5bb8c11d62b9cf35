"""Trains the finals of a search: a candidate from fresh seeds, scored on the test split."""

import dataclasses
from typing import Any

import numpy as np
from keras_tuner.engine.trial import Trial

from experiments.config.finals import WHOLE, final_seed
from experiments.config.folders import TrialFolder
from experiments.strategy.finals import FinalsOracle
from experiments.tasks.base import NOT_SCORED, Arrays, Task
from experiments.training.saved import load
from experiments.training.scoring import Scorer
from experiments.training.training import Training
from experiments.worker.execution import RecurrentTuner
from experiments.worker.tuner import Execution


class FinalsTuner(RecurrentTuner):
    """Trains each final on the data of its seed. Where no fresh samples can be drawn the data stay as they are.

    The seed of the spec is that of the search until a final begins, and that of the final from then on.
    """

    oracle: FinalsOracle  # it answers all that a tuner asks

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.search_seed, self.own = self.spec.seed, (self.train, self.val)

    def about(self, trial: Trial) -> dict[str, Any]:
        final = self.oracle.final(trial.trial_id)
        about = {"candidate": final.candidate, "seed": final.seed, "data_seed": self._data_seed(final.seed)}
        return {"final": about | ({} if final.epochs is None else {"data": WHOLE, "epochs": final.epochs})}

    def _data_seed(self, index: int) -> int:
        """The seed of the data of a final: a fresh one where fresh samples can be drawn, else that of the search."""
        return self.search_seed if self.task.finite_data else final_seed(self.search_seed, index)

    def seeds(self, trial: Trial, folder: TrialFolder, execution: int) -> tuple[int, int]:
        # A final is the same, whatever other finals were planned before it.
        return int(self.oracle.final(trial.trial_id).candidate), execution

    def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> Execution:
        final = self.oracle.final(trial.trial_id)
        epochs = self.oracle.plan.epochs if final.epochs is None else final.epochs
        self.spec = dataclasses.replace(self.spec, seed=final_seed(self.search_seed, final.seed), epochs=epochs)
        data_seed, self.train, self.val = self._data_seed(final.seed), *self.own
        if data_seed != self.search_seed:
            self.train, self.val = self.task.split("train", data_seed), self.task.split("val", data_seed)
        self.training = Training
        if final.epochs is not None:
            self.train, self.training = joined(self.task, self.train, self.val), WholeTraining
        found = super().run_execution(trial, folder, execution)
        self.save_model(trial, folder, {"execution": execution, "epoch": found["epoch"]})
        return {**found, **self._tested(folder, data_seed)}

    def _tested(self, folder: TrialFolder, seed: int) -> dict[str, Any]:
        """The scores of the final's model, as it was written, on the test split and at longer lengths."""
        model, lengths = load(folder.model), self.oracle.plan.lengths
        longer = {str(factor): score(self.task.longer(factor), model, seed) for factor in lengths}
        return {"test": score(self.task, model, seed), "longer": longer}


class WholeTraining(Training):
    """A training on validation data, too. Its score chooses nothing, and its model is that of the last epoch."""

    def improved(self) -> bool:
        self.best, self.best_epoch = self.logs[f"val_{self.task.metric}"], self.epoch
        return True


def joined(task: Task, train: Arrays, val: Arrays) -> Arrays:
    """Both splits as one. Shorter sequences are padded to the length of the longer ones."""
    (x, more_x), (y, more_y) = zip(train, val, strict=True)
    if not task.stream and x.shape[1] != more_x.shape[1]:
        x, more_x = _padded(x, more_x, 0 if task.padding is None else task.padding)
        y, more_y = _padded(y, more_y, NOT_SCORED) if task.per_step else (y, more_y)
    return np.concatenate([x, more_x]), np.concatenate([y, more_y])


def _padded(one: np.ndarray, two: np.ndarray, value: float) -> list[np.ndarray]:
    """Both arrays with as many time steps as the longer one has; time is the second axis."""
    longest = max(one.shape[1], two.shape[1])
    return [
        np.pad(part, [(0, 0), (0, longest - part.shape[1]), *[(0, 0)] * (part.ndim - 2)], constant_values=value)
        for part in (one, two)
    ]


def score(task: Task, model: Any, seed: int) -> float:
    """The score of a model on the test split of a task."""
    return float(Scorer(task, model, task.split("test", seed)).score())
