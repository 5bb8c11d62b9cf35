"""A worker: a process that imports TensorFlow once and runs trials until the oracle has no more."""

import ctypes
import gc
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from experiments.config.folders import FULL_DISK, SearchFolder
from experiments.config.ranges import WIDTH_STEP, real, whole
from experiments.config.recipes import recipe
from experiments.config.spec import Spec
from experiments.engines.local import DONE, FULL, RETIRED, end_with_launcher, tie_to_launcher
from experiments.tasks import base
from experiments.tasks.loading import find
from experiments.training.windows import training_steps

if TYPE_CHECKING:
    from experiments.tuner import SearchTuner

    Make = Callable[[SearchFolder, Spec, int, str], SearchTuner]

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of glibc's mallopt


def work(
    gate: Connection, index: int, folder: Path, session: str, gpu: str | None, memory: int | None, make: "Make"
) -> None:
    """Runs trials of the search in `folder` as soon as the launcher opens the gate.

    Args:
        memory: bytes, beyond which the launcher ends this process with its trial.
    """
    tie_to_launcher()
    threading.Thread(target=end_with_launcher, daemon=True).start()
    search = SearchFolder(folder)
    with search.worker_lock(index):
        _settle(search.worker_log(index), gpu)
        import keras_tuner  # noqa: F401  both take seconds, which the launcher uses to open the record
        import tensorflow  # noqa: F401

        try:
            gate.recv()
        except EOFError:  # the launcher has refused the search meanwhile
            return

        def begin() -> "SearchTuner":
            tuner = make(search, Spec.read(search), index, session)
            tuner.memory_limit = memory
            gc.collect()
            gc.freeze()  # the collection that Keras asks for before each model need not look at what imports have made
            return tuner

        _leave(_search(begin))


def _search(begin: "Callable[[], SearchTuner]") -> int:
    """Runs trials until there are no more; returns the process's exit code."""
    from keras_tuner.errors import FatalError

    try:
        begin().search()
    except SystemExit as error:
        if error.code != RETIRED:
            raise
        return RETIRED
    except (OSError, FatalError) as error:
        cause = error.__cause__ if isinstance(error, FatalError) else error
        if isinstance(cause, OSError) and cause.errno in FULL_DISK:
            with suppress(OSError):  # the log may have no room: that must not change the exit code
                traceback.print_exc()
            return FULL
        raise
    return DONE


def _leave(code: int) -> NoReturn:
    """Ends the process without Python's shutdown, which takes 0.9 s after TensorFlow: all that counts is on disk."""
    with suppress(OSError):  # the log has no room
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _settle(log: Path, gpu: str | None) -> None:
    """Output goes to the worker's log; one GPU is visible, or none."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="2", OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES=gpu or "-1")
    keep_memory()


def keep_memory() -> None:
    """Lets the allocator keep what is freed: else every training step asks the system for its large buffers anew.

    The gradients of an LSTM of width 128 over 200 steps took 126 ms without, 90 ms with it. For glibc alone.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        for parameter, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 2**26)):
            libc.mallopt(parameter, value)


def one_thread() -> None:
    """For layers of these widths as fast as two, and leaves the other core to another worker."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def alone() -> int:
    """Makes this process what a worker is, to be measured; returns its GPUs."""
    import tensorflow as tf

    keep_memory()
    one_thread()
    return len(tf.config.list_physical_devices("GPU"))


def make_tuner(search: SearchFolder, spec: Spec, index: int, session: str) -> "SearchTuner":
    """Keras Tuner's loop over the search's space and task."""
    import keras_tuner
    import tensorflow as tf

    from experiments.sharing import shared
    from experiments.strategy.oracle import StudyOracle
    from experiments.strategy.pruning import pruner
    from experiments.tuner import RecurrentTuner
    from search_spaces.recurrent import RecurrentSpace

    one_thread()
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    task = find.make(spec.task, spec.options)
    train, val = shared(search, session, task, spec.seed)
    steps = spec.epochs * training_steps(task, len(train[0]), spec.batch)
    decay_steps = steps if spec.schedule == "cosine" else None
    sizes = 1 if task.stream or len(train[0]) % min(spec.batch, len(train[0])) == 0 else 2
    space = RecurrentSpace(
        **space_arguments(spec, task),
        decay_steps=decay_steps,
        gpus=len(gpus),
        work=steps * task.steps,
        sizes=sizes,
    )
    hyperparameters = keras_tuner.HyperParameters()
    space.declare_hyperparameters(hyperparameters)
    objective = keras_tuner.Objective(f"val_{task.metric}", task.direction)
    chosen = pruner(spec.pruner, spec.epochs)
    oracle = StudyOracle(search, objective, spec.oracle, spec.trials, spec.seed, hyperparameters, session, chosen)
    return RecurrentTuner(oracle, space, spec, task, train, val, index)


def space_arguments(spec: Spec, task: base.Task) -> dict[str, Any]:
    """RecurrentSpace's arguments for a search."""
    return {
        "outputs": task.outputs,
        "loss": task.loss,
        "features": task.features,
        "tokens": task.tokens,
        "one_hot": task.one_hot,
        "padding": task.padding,
        "per_step": task.per_step,
        "cells": spec.cells,
        "depths": whole("--depth", spec.depth),
        "widths": whole("--width", spec.width, WIDTH_STEP),
        "mixed": spec.mixed,
        "learning_rate": real("--learning-rate", spec.learning_rate, 0),
        "dropout": real("--dropout", spec.dropout, 0, 1),
        "recipe": recipe(spec, task),
    }
