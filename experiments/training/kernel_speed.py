"""Measures how fast each kernel is on this machine, for `recurrent kernels`."""

import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from search_spaces import cells
from search_spaces.kernels import LOADING_SECONDS, cells_with, saved_seconds
from search_spaces.native.check import trouble

if TYPE_CHECKING:
    import keras

LENGTHS, WIDTHS = (30, 100, 200), (32, 128)
BATCH, FEATURES = 64, 2
WARM, STEPS = 16, 48  # training steps: those with the compilation, and those that are timed
Row = dict[str, Any]


def data(length: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """x `(samples, length, features)` and y `(samples, 1)` for this number of training steps."""
    x = np.random.default_rng(0).random((steps * BATCH, length, FEATURES), np.float32)
    return x, x[:, 0, :1] + x[:, -1, :1]


def measure(kernel: str, cell: str, length: int, width: int, steps: int = STEPS) -> dict[str, float]:
    """The seconds of a training step and of the compilation, for a model of one layer and a linear head.

    The model is trained as a worker trains its models. `step` is the median of the timed steps. Their number is
    `steps`, rounded up to a multiple of 16. `compile` is how much longer the first 16 steps take than 16 timed ones.
    """
    import keras

    from experiments.training.batches import Batches
    from experiments.training.training import STEPS_PER_EXECUTION

    times: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: times.append(time.perf_counter()))
    model = _model(kernel, cell, width)
    timed = math.ceil(steps / STEPS_PER_EXECUTION) * STEPS_PER_EXECUTION
    first, rest = (Batches(data(length, count), BATCH).dataset for count in (WARM, timed + STEPS_PER_EXECUTION))
    began = time.perf_counter()
    model.fit(first, shuffle=False, verbose=0)
    seconds = time.perf_counter() - began
    model.fit(rest, shuffle=False, verbose=0, callbacks=[clock])
    step = statistics.median(later - earlier for earlier, later in zip(times, times[1:], strict=False))
    step /= STEPS_PER_EXECUTION
    return {"step": step, "compile": max(0.0, seconds - WARM * step)}


def _model(kernel: str, cell: str, width: int) -> "keras.Model":
    """A compiled model, set up as a worker sets up its models."""
    import keras

    from experiments.training.adam import update_at_once
    from experiments.training.tracing import REWRITTEN, rewrite_graphs, trace_as_one
    from experiments.training.training import STEPS_PER_EXECUTION
    from search_spaces.native.layers import reads_data

    layer = cells.load(cell).layer(width, False, cell, kernel)
    reads_data(layer)
    if kernel == "loop" and hasattr(layer, "use_cudnn"):
        layer.use_cudnn = False  # on a GPU Keras would compute LSTM and GRU by cuDNN
    model = keras.Sequential([keras.Input((None, FEATURES)), layer, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(1e-3, global_clipnorm=1.0), "mse", steps_per_execution=STEPS_PER_EXECUTION)
    model.optimizer.build(model.trainable_variables)  # otherwise tf.function traces twice to make these variables
    update_at_once(model.optimizer)
    trace_as_one(model)
    rewrite_graphs(kernel in REWRITTEN)
    return model


def fast_kernels(gpus: int, native: Callable[[], str] = trouble) -> list[str]:
    """The kernels that `loop` is compared with: `cudnn` on a GPU, elsewhere `xla`, and `native` if it can be used.

    Args:
        native: says why it cannot.
    """
    return ["cudnn"] if gpus else ["xla", *([] if native() else ["native"])]


def own_kernels(cell: str, fast: list[str]) -> list[str]:
    """Those of the fast kernels that can compute the cell."""
    return [kernel for kernel in fast if cell in cells_with(kernel)]


def rows(chosen: list[str], lengths: list[int], widths: list[int], fast: list[str]) -> Iterator[Row]:
    """One row for each cell, length, width and each of the fast kernels that the cell has."""
    for cell in chosen:
        own = own_kernels(cell, fast)
        for kernel in ("loop", *own):  # the first model of a process takes longer, so it is not timed
            measure(kernel, cell, 2, 1, WARM)
        for length, width in itertools.product(lengths, widths):
            loop = measure("loop", cell, length, width)
            for kernel in own:
                yield row(cell, length, width, kernel, loop, measure(kernel, cell, length, width))


def row(cell: str, length: int, width: int, kernel: str, loop: dict[str, float], fast: dict[str, float]) -> Row:
    """One row of the table.

    `pays` is the training step from which the fast kernel saves time, or None if it never does. `chosen` is the step
    from which a search takes it. `native` is loaded once in a process, which `pays` leaves out.

    Args:
        loop, fast: what `measure` returned for `loop` and for the fast kernel.
    """
    saved, costs = loop["step"] - fast["step"], max(0.0, fast["compile"] - loop["compile"])
    return {
        "cell": cell,
        "length": length,
        "width": width,
        "kernel": kernel,
        "loop_ms": 1000 * loop["step"],
        "kernel_ms": 1000 * fast["step"],
        "loop_compile_s": loop["compile"],
        "kernel_compile_s": fast["compile"],
        "pays": round(costs / saved) if saved > 0 else None,
        "chosen": _chosen(cell, length, kernel),
    }


def _chosen(cell: str, length: int, kernel: str) -> int:
    """The training step from which a search takes the fast kernel, if all batches have the same size.

    It takes `xla` where it cannot use `native`.
    """
    if kernel == "cudnn":
        return 0
    costs = LOADING_SECONDS if kernel == "native" else cells.facts(cell).xla_compile_seconds or 0.0
    return int(costs / (saved_seconds(cell, kernel) * length)) + 1
