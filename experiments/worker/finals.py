"""Trains the finals of a search: a candidate from fresh seeds, scored on the test split."""

import dataclasses
from typing import Any

from keras_tuner.engine.trial import Trial

from experiments.config.finals import final_seed
from experiments.config.folders import TrialFolder
from experiments.strategy.finals import FinalsOracle
from experiments.tasks.base import Task
from experiments.training.saved import load
from experiments.training.scoring import Scorer
from experiments.worker.execution import RecurrentTuner
from experiments.worker.tuner import Execution


class FinalsTuner(RecurrentTuner):
    """Trains each final on the data of its seed. Where no fresh samples can be drawn the data stay as they are.

    The seed of the spec is that of the search until a final begins, and that of the final from then on.
    """

    oracle: FinalsOracle  # type: ignore[assignment]  # it answers all that a tuner asks

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.search_seed = self.spec.seed

    def about(self, trial: Trial) -> dict[str, Any]:
        final = self.oracle.final(trial.trial_id)
        about = {"candidate": final.candidate, "seed": final.seed, "data_seed": self._data_seed(final.seed)}
        return {"final": about}

    def _data_seed(self, index: int) -> int:
        """The seed of the data of a final: a fresh one where fresh samples can be drawn, else that of the search."""
        return self.search_seed if self.task.finite_data else final_seed(self.search_seed, index)

    def seeds(self, trial: Trial, folder: TrialFolder, execution: int) -> tuple[int, int]:
        # A final is the same, whatever other finals were planned before it.
        return int(self.oracle.final(trial.trial_id).candidate), execution

    def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> Execution:
        index = self.oracle.final(trial.trial_id).seed
        self.spec = dataclasses.replace(self.spec, seed=final_seed(self.search_seed, index))
        data_seed = self._data_seed(index)
        if not self.task.finite_data:
            self.train, self.val = self.task.split("train", data_seed), self.task.split("val", data_seed)
        found = super().run_execution(trial, folder, execution)
        self.save_model(trial, folder, {"execution": execution, "epoch": found["epoch"]})
        return {**found, **self._tested(folder, data_seed)}

    def _tested(self, folder: TrialFolder, seed: int) -> dict[str, Any]:
        """The scores of the final's model, as it was written, on the test split and at longer lengths."""
        model, lengths = load(folder.model), self.oracle.plan.lengths
        longer = {str(factor): score(self.task.longer(factor), model, seed) for factor in lengths}
        return {"test": score(self.task, model, seed), "longer": longer}


def score(task: Task, model: Any, seed: int) -> float:
    """The score of a model on the test split of a task."""
    return float(Scorer(task, model, task.split("test", seed)).score())
