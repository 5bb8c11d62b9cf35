"""A worker's tuner on a small task, and one that dies on the way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import optuna
import pytest

from experiments.config.folders import SearchFolder, TrialFolder
from experiments.config.spec import Spec
from experiments.strategy.oracle import StudyOracle
from experiments.tasks.adding import Adding
from experiments.tasks.loading.digest import digest_of
from experiments.worker.build import space_arguments
from experiments.worker.execution import RecurrentTuner
from search_spaces.recurrent import RecurrentSpace

EPOCHS = 5


TASK = Adding(length=4, train=64, val=32, test=16)


class Noting(optuna.pruners.BasePruner):
    """Notes the steps it is asked at; gives up at `last`."""

    def __init__(self, last: int = EPOCHS) -> None:
        self.steps: list[Any] = []
        self.last = last

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        self.steps.append(trial.last_step)
        return trial.last_step == self.last


def lines(trial: TrialFolder) -> list[dict[str, Any]]:
    return [event for event in trial.journal.events() if event["event"] == "epoch"]


class Killed(BaseException):
    """What Keras Tuner does not catch."""


def make(
    folder: Path, pruner: optuna.pruners.BasePruner | None = None, checkpoint_seconds: float = 0.0, **changes: Any
) -> RecurrentTuner:
    options = {name: str(value) for name, value in vars(TASK).items()}
    arrays = [TASK.split(name, 0) for name in ("train", "val")]
    fields: dict[str, Any] = {"name": "t", "task": "adding", "options": options, "cells": ["simple_rnn"]}
    fields |= {"trials": 1, "depth": "1", "width": "4", "learning_rate": "0.02", "epochs": EPOCHS, "batch": 16}
    spec = Spec(**{**fields, "digest": digest_of(arrays), **changes})
    space, hyperparameters = RecurrentSpace(**space_arguments(spec, TASK)), keras_tuner.HyperParameters()
    space.declare_hyperparameters(hyperparameters)
    objective, search = keras_tuner.Objective("val_mse", "min"), SearchFolder(folder)
    oracle = StudyOracle(search, objective, "grid", spec.trials, 0, hyperparameters, "A", pruner, spec.allocate)
    return RecurrentTuner(oracle, space, spec, TASK, *arrays, 0, None, checkpoint_seconds)


def killed(tuner: RecurrentTuner) -> TrialFolder:
    """Its only trial, when the tuner has died in it."""
    with pytest.raises(Killed):
        tuner.search()
    for trial in tuner.oracle.claimed.values():
        trial.lock.release(force=True)
    return tuner.oracle.folder.trial(0)


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Kills whoever calls a method for which `when` is true, before it has done anything."""

    def at(owner: type, name: str, when: Callable[..., bool]) -> None:
        method = getattr(owner, name)

        def dying(*words: Any, **named: Any) -> Any:
            if when(*words, **named):
                monkeypatch.setattr(owner, name, method)
                raise Killed
            return method(*words, **named)

        monkeypatch.setattr(owner, name, dying)

    return at
