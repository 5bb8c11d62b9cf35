"""Builds the parts of a worker: the task and its data, the space, the oracle and the tuner."""

from typing import TYPE_CHECKING, Any

from experiments.config.folders import SearchFolder
from experiments.config.recipes import dimensions, embedding_spread, recipe
from experiments.config.spec import Spec
from experiments.tasks.base import Task
from experiments.tasks.loading import find
from experiments.tasks.loading.code import checked
from experiments.training.buckets import KEYS
from experiments.training.windows import training_steps
from experiments.worker.process import use_one_thread
from tracking.errors import SearchStateError
from tracking.ranking import preference

if TYPE_CHECKING:
    import keras_tuner

    from experiments.strategy.oracle import StudyOracle
    from experiments.worker.job import Ask
    from experiments.worker.tuner import SearchTuner
    from search_spaces.recurrent import RecurrentSpace


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
    from experiments.worker.sharing import load_splits

    task = find.make(spec.task, spec.options, spec.reading, checked(spec.code, folder.code))
    train, val = load_splits(folder, session, task, spec.seed, spec.digest if spec.code else "")
    space, hyperparameters, objective = make_space(spec, task, len(train[0]))
    oracle = make_oracle(folder, spec, session, hyperparameters, objective)
    return RecurrentTuner(oracle, space, spec, task, train, val, index, memory_limit)


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
    from experiments.worker.sharing import load_splits

    task = find.make(spec.task, spec.options, spec.reading, checked(spec.code, folder.code))
    train, val = load_splits(folder, session, task, spec.seed, spec.digest)
    space, hyperparameters, objective = make_space(spec, task, len(train[0]))
    oracle = RemoteOracle(folder, ask, objective, hyperparameters, session)
    return RecurrentTuner(oracle, space, spec, task, train, val, index, memory_limit)


def make_finals_tuner(
    finals: SearchFolder, spec: Spec, index: int, session: str, memory_limit: int | None = None
) -> "SearchTuner":
    """The tuner of one worker that runs finals, or trains a trial further.

    Args:
        finals: the folder of the finals, or of the trial that is trained further.
        spec: of the search, with the epochs of the finals.

    The other arguments and the errors are those of `make_tuner`.
    """
    from experiments.config.finals import Plan
    from experiments.strategy.finals import FinalsOracle
    from experiments.worker.finals import FinalsTuner
    from experiments.worker.sharing import load_splits
    from experiments.worker.trained import TrainedTuner

    search = SearchFolder(finals.path.parent)
    if (plan := Plan.read(finals)) is None:
        raise SearchStateError(f"{finals.plan}: expected the plan of finals, got none")
    task = find.make(spec.task, spec.options, spec.reading, checked(spec.code, search.code))
    train, val = load_splits(finals, session, task, spec.seed, spec.digest if spec.code else "")
    space, hyperparameters, objective = make_space(spec, task, len(train[0]))
    oracle = FinalsOracle(finals, objective, plan, hyperparameters, session)
    make = TrainedTuner if plan.start else FinalsTuner
    return make(oracle, space, spec, task, train, val, index, memory_limit)


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
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    space = RecurrentSpace(**space_arguments(spec, task), **training_arguments(spec, task, samples), gpus=len(gpus))
    hyperparameters = keras_tuner.HyperParameters()
    space.declare_hyperparameters(hyperparameters)
    return space, hyperparameters, keras_tuner.Objective(f"val_{task.metric}", task.direction)


def training_arguments(spec: Spec, task: Task, samples: int) -> dict[str, Any]:
    """The arguments of RecurrentSpace that follow from the number of training samples."""
    steps = spec.epochs * training_steps(task, samples, spec.batch)
    # XLA compiles for each size of batch and each bucket. The last batch of an epoch may be smaller than the others.
    buckets = min(spec.buckets, KEYS)
    sizes = buckets if task.stream or samples % min(spec.batch, samples) == 0 else buckets + 1
    return {"decay_steps": steps if spec.schedule == "cosine" else None, "work": steps * task.steps, "sizes": sizes}


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
