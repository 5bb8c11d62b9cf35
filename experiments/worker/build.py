"""Builds the parts of a worker: the task and its data, the space, the oracle and the tuner."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.config.finals import Plan
from experiments.config.folders import SearchFolder
from experiments.config.recipes import dimensions, embedding_spread, recipe
from experiments.config.spec import Spec
from experiments.tasks.base import Arrays, Task
from experiments.tasks.loading import find
from experiments.tasks.loading.code import checked
from experiments.training.buckets import KEYS
from experiments.training.windows import trained_steps, training_steps
from experiments.worker.process import use_one_thread
from tracking.errors import SearchStateError
from tracking.ranking import preference

if TYPE_CHECKING:
    import keras_tuner

    from experiments.strategy.finals import FinalsOracle
    from experiments.strategy.oracle import StudyOracle
    from experiments.worker.job import Ask
    from experiments.worker.tuner import SearchTuner
    from search_spaces.recurrent import RecurrentSpace

# A checkpoint has three times the bytes of the weights. Epochs of a second would fill the network of a large cluster.
SENT_SECONDS = 30.0  # between two checkpoints of a worker that sends them


def make_tuner(
    folder: SearchFolder, spec: Spec, index: int, session: str, memory_limit: int | None = None
) -> "SearchTuner":
    """The tuner of one worker.

    Args:
        folder: of the search.
        index: of the worker.
        session: names the worker's launcher.
        memory_limit: bytes; the launcher ends a worker that uses more. None for no limit.

    Raises BadInput or DataError if the task cannot be made, or makes other data than in the launcher.
    """
    from experiments.worker.execution import RecurrentTuner

    parts = Parts.of(folder, folder.code, spec, session, spec.digest if spec.code else "")
    oracle = make_oracle(folder, spec, session, parts.hyperparameters, parts.objective)
    return parts.tuner(RecurrentTuner, oracle, spec, index, memory_limit)


def make_oracle(
    folder: SearchFolder,
    spec: Spec,
    session: str,
    hyperparameters: "keras_tuner.HyperParameters",
    objective: "keras_tuner.Objective",
) -> "StudyOracle":
    """Opens the study of a search.

    Args:
        session: names the launcher.
    """
    from experiments.strategy.oracle import StudyOracle
    from experiments.strategy.pruning import pruner

    how = session, pruner(spec.pruner, spec.epochs), spec.allocate, preference(spec.prefer)
    return StudyOracle(folder, objective, spec.oracle, spec.trials, spec.seed, hyperparameters, *how)


def make_remote_tuner(
    folder: SearchFolder, spec: Spec, index: int, session: str, memory_limit: int | None, ask: "Ask"
) -> "SearchTuner":
    """The tuner of one worker that cannot reach the folder of the search.

    Args:
        folder: of this worker, with the code of a user's task.
        ask: asks the desk of the launcher.

    The other arguments and the errors are those of `make_tuner`.
    """
    from experiments.worker.execution import RecurrentTuner
    from experiments.worker.remote import RemoteOracle

    parts = Parts.of(folder, folder.code, spec, session, spec.digest)
    how = folder, ask, parts.objective, parts.hyperparameters, session, spec.pruner != "none"
    return parts.tuner(RecurrentTuner, RemoteOracle(*how), spec, index, memory_limit, SENT_SECONDS)


def make_finals_tuner(
    finals: SearchFolder, spec: Spec, index: int, session: str, memory_limit: int | None = None
) -> "SearchTuner":
    """The tuner of one worker that runs finals, or trains a trial further.

    Args:
        finals: the folder of the finals, or of the trial that is trained further.
        spec: of the search, with the epochs of the finals.

    The other arguments and the errors are those of `make_tuner`.
    """
    code, digest = SearchFolder(finals.path.parent).code, spec.digest if spec.code else ""
    plan, parts = _plan(finals), Parts.of(finals, code, spec, session, digest)
    oracle = make_finals_oracle(finals, plan, session, parts.hyperparameters, parts.objective)
    return parts.tuner(_finals_tuner(plan), oracle, spec, index, memory_limit)


def make_finals_oracle(
    finals: SearchFolder,
    plan: Plan,
    session: str,
    hyperparameters: "keras_tuner.HyperParameters",
    objective: "keras_tuner.Objective",
) -> "FinalsOracle":
    """What gives out the finals of a plan.

    Args:
        session: names the launcher.
    """
    from experiments.strategy.finals import FinalsOracle

    return FinalsOracle(finals, objective, plan, hyperparameters, session)


def make_remote_finals_tuner(
    folder: SearchFolder, spec: Spec, index: int, session: str, memory_limit: int | None, ask: "Ask"
) -> "SearchTuner":
    """The same for a worker that cannot reach the folder of the finals. It has their plan in its own folder.

    The arguments and the errors are those of `make_remote_tuner`.
    """
    from experiments.worker.remote import RemoteFinalsOracle

    plan, parts = _plan(folder), Parts.of(folder, folder.code, spec, session, spec.digest)
    oracle = RemoteFinalsOracle(plan, folder, ask, parts.objective, parts.hyperparameters, session)
    return parts.tuner(_finals_tuner(plan), oracle, spec, index, memory_limit, SENT_SECONDS)


def _plan(folder: SearchFolder) -> Plan:
    if (plan := Plan.read(folder)) is None:
        raise SearchStateError(f"{folder.plan}: expected the plan of finals, got none")
    return plan


def _finals_tuner(plan: Plan) -> "type[SearchTuner]":
    """What trains the finals of a plan, or a trial further."""
    from experiments.worker.finals import FinalsTuner
    from experiments.worker.trained import TrainedTuner

    return TrainedTuner if plan.start else FinalsTuner


@dataclass(frozen=True)
class Parts:
    """What every tuner of a worker needs."""

    task: Task
    train: Arrays
    val: Arrays
    space: "RecurrentSpace"
    hyperparameters: "keras_tuner.HyperParameters"
    objective: "keras_tuner.Objective"

    @classmethod
    def of(cls, folder: SearchFolder, code: Path, spec: Spec, session: str, digest: str) -> "Parts":
        """Makes them. Raises BadInput or DataError if the task cannot be made, or makes other data.

        Args:
            folder: where `sharing.share` may have written the data.
            code: the folder with the code of a user's task.
            session: names the launcher.
            digest: of the data, as `sharing.load_splits` takes it.
        """
        from experiments.worker.sharing import load_splits

        task = find.make(spec.task, spec.options, spec.reading, checked(spec.code, code))
        train, val = load_splits(folder, session, task, spec.seed, digest)
        return cls(task, train, val, *make_space(spec, task, len(train[0])))

    def tuner(
        self, make: Any, oracle: Any, spec: Spec, index: int, memory_limit: int | None, checkpoint_seconds: float = 0.0
    ) -> "SearchTuner":
        """A tuner of the class `make`. By default it writes a checkpoint after each epoch."""
        parts, how = (self.space, spec, self.task, self.train, self.val), (index, memory_limit, checkpoint_seconds)
        tuner: SearchTuner = make(oracle, *parts, *how)
        return tuner


def make_space(
    spec: Spec, task: Task, samples: int
) -> "tuple[RecurrentSpace, keras_tuner.HyperParameters, keras_tuner.Objective]":
    """The space, its hyperparameters and the objective. TensorFlow gets the settings of a worker.

    Args:
        samples: of the training split.
    """
    import keras_tuner
    import tensorflow as tf

    from search_spaces.recurrent import RecurrentSpace

    use_one_thread()
    gpus = len(tf.config.list_physical_devices("GPU"))
    space = RecurrentSpace(**space_arguments(spec, task), **training_arguments(spec, task, samples), gpus=gpus)
    hyperparameters = keras_tuner.HyperParameters()
    space.declare_hyperparameters(hyperparameters)
    return space, hyperparameters, keras_tuner.Objective(f"val_{task.metric}", task.direction)


def training_arguments(spec: Spec, task: Task, samples: int) -> dict[str, Any]:
    """The arguments of RecurrentSpace that follow from the number of training samples."""
    steps = spec.epochs * training_steps(task, samples, spec.batch)
    # XLA compiles for each size of batch and each bucket. The last batch of an epoch may be smaller than the others.
    buckets = min(spec.buckets, KEYS)
    sizes = buckets if task.stream or samples % min(spec.batch, samples) == 0 else buckets + 1
    return {
        "decay_steps": steps if spec.schedule == "cosine" else None,
        "work": trained_steps(task, samples, spec.batch, spec.epochs),
        "sizes": sizes,
        "asked": spec.kernel,
    }


def space_arguments(spec: Spec, task: Task) -> dict[str, Any]:
    """The arguments of RecurrentSpace that follow from a spec and its task."""
    return {
        "outputs": task.outputs,
        "loss": task.loss,
        "features": task.features,
        "tokens": task.tokens,
        "one_hot": task.one_hot,
        "padding": task.padding,
        "per_step": task.per_step,
        "source_steps": task.source_steps,
        "embedding_spread": embedding_spread(spec, task),
        **dimensions(spec),
        "recipe": recipe(spec, task),
    }
