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
from experiments.system.devices import memory
from experiments.system.imports import import_keras
from tracking.errors import RecurrentError


class Tuner(Protocol):
    """What runs the trials of a worker: `experiments.worker.tuner.SearchTuner`."""

    key: str
    host: dict[str, str]

    def search(self) -> None: ...


MakeTuner = Callable[[SearchFolder, Spec, int, str, int | None], Tuner]

# Exit codes of a worker. Other programs hardly use these numbers. If a trial ends the process, for example by a crash,
# the exit code is another one.
DONE = 81  # there are no more trials
RETIRED = 82  # the worker used too much memory and has ended after a trial; a new one takes its place
FULL = 83  # the disk is full
REFUSED = 84  # the user's task cannot be used; the last line of the log says why
SHARE = 0.9  # of a card's memory for its workers; the rest is for CUDA itself
PR_SET_PDEATHSIG = 1  # linux/prctl.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # of glibc's mallopt


def work(
    gate: Connection,
    index: int,
    folder: Path,
    session: str,
    gpu: str | None,
    per_gpu: int,
    memory_limit: int | None,
    make: MakeTuner,
    native: bool = False,
) -> None:
    """The main function of a worker process: runs trials of the search in `folder`.

    Args:
        gate: the launcher sends something when the worker may begin. It is closed if the launcher ends before that.
        index: of the worker.
        session: names the launcher.
        gpu: for CUDA_VISIBLE_DEVICES; None for no GPU.
        per_gpu: how many workers share a GPU.
        memory_limit: bytes; the launcher ends a worker that uses more.
        make: makes the tuner.
        native: load the native kernels before the worker may begin.
    """
    tie_to_launcher()
    threading.Thread(target=end_with_launcher, daemon=True).start()
    search = SearchFolder(folder)
    # The lock says that this worker is alive. The next launcher waits until it is free.
    with search.worker_lock(index):
        redirect(search.worker_log(index), gpu)
        import_keras()  # takes seconds; meanwhile the launcher opens MLflow's record
        if native:
            load_kernels()
        if not _may_begin(gate):
            return

        def begin() -> Tuner:
            use_gpu(gpu, per_gpu)
            return make(search, Spec.read(search), index, session, memory_limit)

        _end_process(run_trials(begin))


def _may_begin(gate: Connection) -> bool:
    """Waits until the launcher lets the worker begin. False if it has ended before."""
    try:
        gate.recv()
        return True
    except EOFError:
        return False


def load_kernels() -> None:
    """Loads the native kernels, without an error if that fails: then a trial says why it has another kernel.

    Nothing is computed with them here. TensorFlow would begin, and would take no settings any more.
    """
    from search_spaces.native import ready

    with suppress(Exception):
        ready.load()


def own_key(pid: int | None = None) -> str:
    """What names a worker process of this machine in the journals.

    Args:
        pid: of the process; this one by default.
    """
    return str(os.getpid() if pid is None else pid)


def run_trials(begin: Callable[[], Tuner]) -> int:
    """Runs trials until there are no more; returns the exit code of the process.

    Args:
        begin: makes the tuner.
    """
    from keras_tuner.errors import FatalError

    try:
        tuner = begin()
        gc.collect()
        gc.freeze()  # Keras collects garbage before each model; from now on it skips the objects of the imports
        tuner.search()
    except RecurrentError as error:
        print(error)
        return REFUSED
    except SystemExit as error:
        if error.code != RETIRED:
            raise
        return RETIRED
    except (OSError, FatalError) as error:
        cause = error.__cause__ if isinstance(error, FatalError) else error
        if isinstance(cause, OSError) and cause.errno in FULL_DISK:
            with suppress(OSError):  # the log is on the full disk, too
                traceback.print_exc()
            return FULL
        raise
    return DONE


def _end_process(code: int) -> NoReturn:
    """Ends the process without Python's shutdown, which takes 0.9 s after TensorFlow. All results are on disk."""
    with suppress(OSError):  # the disk is full
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def redirect(log: Path, gpu: str | None) -> None:
    """Sends output to the worker's log, and makes one GPU visible, or none."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="2", OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES=gpu or "-1")
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Tells glibc's allocator to keep freed memory. Otherwise every training step asks the system for large buffers.

    The gradients of an LSTM of width 128 over 200 time steps took 126 ms without this setting and 90 ms with it. Other
    allocators are not changed.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        for parameter, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 2**26)):
            libc.mallopt(parameter, value)


def use_one_thread() -> None:
    """Makes TensorFlow use one thread. It is as fast as two for these layers, and leaves a core free."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def use_gpu(gpu: str | None, workers: int) -> None:
    """Lets TensorFlow take the memory of its GPU as it needs it, or no more than an equal share.

    Args:
        gpu: its name for CUDA_VISIBLE_DEVICES; None for no GPU.
        workers: how many share it. TensorFlow refuses a device with a limit that grows, and without a limit the first
            worker could take what the others need.

    Raises DeviceError.
    """
    import tensorflow as tf

    cards = tf.config.list_physical_devices("GPU") if gpu else []
    for card in cards:
        if workers == 1:
            tf.config.experimental.set_memory_growth(card, True)
        else:
            limit = tf.config.LogicalDeviceConfiguration(memory_limit=int(SHARE * memory(gpu or "") / workers))
            tf.config.set_logical_device_configuration(card, [limit])


def become_worker() -> int:
    """Gives this process a worker's settings, so that it can be measured; returns the number of its GPUs."""
    import_keras()
    import tensorflow as tf

    keep_freed_memory()
    use_one_thread()
    return len(tf.config.list_physical_devices("GPU"))


def tie_to_launcher() -> None:
    """Lets Linux kill this process when its launcher dies, even if the process is stopped or stuck in native code."""
    with suppress(AttributeError, OSError, TypeError):  # other systems have no such call
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def end_with_launcher() -> None:
    """Waits until the launcher has died and then ends this process at once. It runs in a thread."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os._exit(1)
