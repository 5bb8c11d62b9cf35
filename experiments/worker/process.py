"""A worker: a process that imports TensorFlow once and runs trials until the oracle has no more."""

import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NoReturn, Protocol

from experiments.config.folders import FULL_DISK, SearchFolder
from experiments.config.spec import Spec


class Tuner(Protocol):
    """What runs the trials of a worker: `experiments.worker.tuner.SearchTuner`."""

    memory_limit: int | None

    def search(self) -> None: ...


Make = Callable[[SearchFolder, Spec, int, str], Tuner]

# Exit codes of a worker that nobody else uses: a trial that ends its process must not look like one of these.
DONE = 81  # nothing is left to do
RETIRED = 82  # it has grown too large: a fresh one takes its place
FULL = 83  # the disk is full
PR_SET_PDEATHSIG = 1  # linux/prctl.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of glibc's mallopt


def work(
    gate: Connection, index: int, folder: Path, session: str, gpu: str | None, memory: int | None, make: Make
) -> None:
    """Runs trials of the search in `folder` as soon as the launcher opens the gate.

    Args:
        memory: bytes, beyond which the launcher ends this process with its trial.
    """
    tie_to_launcher()
    threading.Thread(target=end_with_launcher, daemon=True).start()
    search = SearchFolder(folder)
    with search.worker_lock(index):
        _redirect(search.worker_log(index), gpu)
        import keras_tuner  # noqa: F401  both take seconds, which the launcher uses to open the record
        import tensorflow  # noqa: F401

        try:
            gate.recv()
        except EOFError:  # the launcher has refused the search meanwhile
            return

        def begin() -> Tuner:
            tuner = make(search, Spec.read(search), index, session)
            tuner.memory_limit = memory
            gc.collect()
            gc.freeze()  # the collection that Keras asks for before each model need not look at what imports have made
            return tuner

        _leave(_search(begin))


def _search(begin: Callable[[], Tuner]) -> int:
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


def _redirect(log: Path, gpu: str | None) -> None:
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


def tie_to_launcher() -> None:
    """On Linux the system ends this process with its launcher, be it stopped or stuck in native code."""
    with suppress(AttributeError, OSError, TypeError):  # elsewhere there is no such call
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def launcher_gone() -> None:
    """Returns when the process that started this one has died."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])


def end_with_launcher() -> None:
    """Ends this process at once when its launcher has died; to be run in a thread."""
    launcher_gone()
    os._exit(1)
