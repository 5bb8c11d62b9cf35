"""Trains a trial of a search further: from the weights of its model, or anew for more epochs."""

from typing import Any

from keras_tuner.engine.trial import Trial

from experiments.config.finals import WEIGHTS, training_name
from experiments.config.folders import TrialFolder
from experiments.training.saved import load
from experiments.training.training import Training, continue_from
from experiments.worker.finals import FinalsTuner


class TrainedTuner(FinalsTuner):
    """Trains the trial on the data of the search, so that its validation score compares with that of the trial.

    A fresh seed decides the order of the samples, new samples of an online task and, if it begins anew, the weights.
    """

    def about(self, trial: Trial) -> dict[str, Any]:
        plan, final = self.oracle.plan, super().about(trial)["final"]
        training = training_name(final["candidate"], plan.epochs, plan.start)
        return {"final": {**final, "epochs": plan.epochs, "start": plan.start, "training": training}}

    def _data_seed(self, index: int) -> int:
        return self.search_seed

    def _tested(self, folder: TrialFolder, seed: int) -> dict[str, Any]:
        """Nothing: the test split is read by finals and by the export alone."""
        return {}

    def _build_training(self, trial: Trial, folder: TrialFolder, execution: int) -> Training:
        training = super()._build_training(trial, folder, execution)
        if self.oracle.plan.start == WEIGHTS:
            continue_from(training, load(self.oracle.folder.start, compiled=True))
        return training
