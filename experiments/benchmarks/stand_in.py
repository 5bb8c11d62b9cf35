"""Our tuner in a search that trains nothing: a function stands in for each execution."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras_tuner
    from keras_tuner.engine.trial import Trial

    from experiments.config.folders import TrialFolder
    from experiments.strategy.oracle import StudyOracle

Execute = Callable[["Trial", "TrialFolder"], dict[str, Any]]


def tuner(
    oracle: "StudyOracle",
    declare: Callable[[Any], None],
    execute: Execute,
    end_trial: Callable[[int], None] = lambda ended: None,
    describe: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> "keras_tuner.Tuner":
    """Does what RecurrentTuner does, without a model.

    Args:
        declare: declares the space.
        execute: what an execution returns.
        end_trial: called with the number of ended trials.
        describe: the parameters of a trial in its journal; by default those of a recurrent model.
    """
    import keras_tuner

    from experiments.worker.tuner import SearchTuner

    class Space(keras_tuner.HyperModel):
        def declare_hyperparameters(self, hp: Any) -> None:
            declare(hp)

    class Tuner(SearchTuner):
        def describe(self, values: dict[str, Any]) -> dict[str, Any]:
            return describe(values) if describe else super().describe(values)

        def run_execution(self, trial: "Trial", folder: "TrialFolder", execution: int) -> dict[str, Any]:
            return execute(trial, folder)

        def on_trial_end(self, trial: "Trial") -> None:
            super().on_trial_end(trial)
            end_trial(int(trial.trial_id) + 1)

    return Tuner(oracle, Space(), 1, 0)
