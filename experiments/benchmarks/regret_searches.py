"""The searches of `regret`: a strategy proposes points, and a table answers in place of a training."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.benchmarks.regret_table import Table
from experiments.benchmarks.stand_in import tuner
from experiments.config.spec import ALLOCATIONS

if TYPE_CHECKING:
    from keras_tuner.engine.trial import Trial

    from experiments.config.folders import TrialFolder

TRAININGS = (5, 10, 20, 30, 40)  # budgets, in trainings of all epochs; the last one is the full budget
SEEN = (2, 8)  # the best and the latest trials that "2 + 8 seen" looks at
OBJECTIVE = "val_loss"


class Spent(BaseException):
    """Ends a search. It is no Exception, so no strategy catches it."""


class Budget:
    """The epochs that one search may look at, and the regret after each of them."""

    def __init__(self, table: Table, seed: int) -> None:
        self.table, self.seed, self.best, self.regret = table, seed, np.inf, 0.0
        self.epochs, self.regrets = TRAININGS[-1] * table.epochs, list[float]()

    def execution(self, trial: str) -> int:
        """The execution of the table that answers for the trial."""
        draw = np.random.SeedSequence(self.seed, spawn_key=(int(trial),)).generate_state(1)[0]
        return int(draw) % self.table.curves.shape[1]

    def train(self, values: dict[str, Any], execution: int, epoch: int) -> float:
        """The score after an epoch (from 0). Raises Spent when there are no more epochs to look at."""
        if len(self.regrets) == self.epochs:
            raise Spent
        place = self.table.places[self.table.key(values)]
        score = float(self.table.curves[place, execution, epoch])
        if score < self.best:
            self.best, self.regret = score, float(self.table.regrets[place])
        self.regrets.append(self.regret)
        return score

    def whole(self) -> list[float]:
        """The regret after every epoch of the budget. After the end of a search it stays the same."""
        return self.regrets + [self.regret] * (self.epochs - len(self.regrets))


def ours(table: Table, budget: Budget, folder: Path, strategy: str, pruning: str, how: str = "") -> None:
    """Our oracle, pruner and journals in the loop of our tuner."""
    import keras_tuner

    from experiments.config.folders import SearchFolder
    from experiments.strategy.oracle import StudyOracle
    from experiments.strategy.pruning import pruner
    from experiments.worker.tuner import Pruned

    allocate = how if how in ALLOCATIONS else "best"
    if allocate != how:
        change_strategy(how)
    wanted, chosen = keras_tuner.Objective(OBJECTIVE, "min"), pruner(pruning, table.epochs)
    search = SearchFolder(folder)
    oracle = StudyOracle(search, wanted, strategy, len(table.points), budget.seed, None, "session", chosen, allocate)

    def execute(trial: "Trial", folder: "TrialFolder") -> dict[str, Any]:
        scores: list[float] = []
        values, shown = trial.hyperparameters.values, budget.execution(trial.trial_id)
        for epoch in range(table.epochs):
            scores.append(budget.train(values, shown, epoch))
            logs = {OBJECTIVE: scores[-1]}
            folder.journal.append("epoch", execution=0, epoch=epoch, metrics=logs)
            oracle.update_trial(trial.trial_id, logs, epoch)
            if epoch + 1 < table.epochs and oracle.should_prune(trial.trial_id):
                raise Pruned(epoch=int(np.argmin(scores)))
        return {"score": min(scores), "epoch": int(np.argmin(scores))}

    tuner(oracle, table.declare, execute, describe=dict).search()


def change_strategy(how: str) -> None:
    """Sets the limits of TPE that the side's name asks for, in this process."""
    from experiments.strategy import proposals, tpe

    if how == "drawn":
        proposals.FEW = 0
    elif how:
        tpe.BEST, tpe.LATEST = SEEN


def peer(table: Table, budget: Budget, folder: Path, strategy: str) -> None:
    """Keras Tuner's own tuner with its own defaults."""
    import keras_tuner

    class Space(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            table.declare(hp)

    class Answered:
        def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
            table.declare(trial.hyperparameters)
            values = trial.hyperparameters.values
            parent = values.get("tuner/trial_id")  # a promoted trial continues the execution of its parent
            shown = executions.get(parent, budget.execution(trial.trial_id))
            executions[trial.trial_id] = shown
            epochs = range(values.get("tuner/initial_epoch", 0), values.get("tuner/epochs", table.epochs))
            return {OBJECTIVE: min(budget.train(values, shown, epoch) for epoch in epochs)}

    executions: dict[str, int] = {}
    trials = {"max_trials": TRAININGS[-1]}
    base, length = {
        "random": (keras_tuner.RandomSearch, trials),
        "bayesian": (keras_tuner.BayesianOptimization, trials),
        "hyperband": (keras_tuner.Hyperband, {"max_epochs": table.epochs, "hyperband_iterations": TRAININGS[-1]}),
    }[strategy]
    seed = int(np.random.SeedSequence(budget.seed).generate_state(1)[0])  # Keras Tuner's neighbouring seeds overlap
    wanted = keras_tuner.Objective(OBJECTIVE, "min")
    tuner = type(base.__name__, (Answered, base), {})
    tuner(Space(), objective=wanted, directory=folder, project_name="s", seed=seed, **length).search(verbose=0)


def regrets(table: Table, side: str, seed: int) -> tuple[list[float], str]:
    """The regret after every epoch of a search, and why it ended early."""
    budget, why = Budget(table, seed), ""
    who, *words = side.split(", ")
    search: Callable[..., None] = ours if who == "ours" else peer
    with tempfile.TemporaryDirectory() as folder:
        try:
            search(table, budget, Path(folder), *words)
        except Spent:
            pass
        except RuntimeError as error:  # for example Keras Tuner's, after three failures in a row
            why = str(error)
    return budget.whole(), why or f"{len(budget.regrets)} epochs"
