"""How fast each kernel is on this machine: what `recurrent kernels` measures."""

import math
import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

CELLS, LENGTHS, WIDTHS = ("simple_rnn", "gru", "lstm"), (30, 100, 200), (32, 128)
BATCH, FEATURES = 64, 2
WARM, STEPS = 16, 48  # training steps: the first ones, and those that are timed
Row = dict[str, Any]


def data(length: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """x `(samples, length, features)` and y `(samples, 1)` for so many training steps."""
    x = np.random.default_rng(0).random((steps * BATCH, length, FEATURES), np.float32)
    return x, x[:, 0, :1] + x[:, -1, :1]


def measure(kernel: str, cell: str, length: int, width: int, steps: int = STEPS) -> dict[str, float]:
    """Seconds of a training step of one layer and a linear head, as a worker trains it, and of compilation.

    A step is the median of `steps` timed ones, rounded up to sixteens; compilation what the first 16 take beyond 16 of
    these.
    """
    import keras

    from experiments.training.batches import Batches
    from experiments.training.tracing import rewrite_graphs, trace_as_one
    from experiments.training.training import STEPS_PER_EXECUTION
    from search_spaces import cells

    times: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: times.append(time.perf_counter()))
    layer = cells.load(cell).layer(width, False, cell, kernel)
    if kernel == "loop" and hasattr(layer, "use_cudnn"):
        layer.use_cudnn = False  # on a GPU Keras' LSTM and GRU are cuDNN's else
    model = keras.Sequential([keras.Input((None, FEATURES)), layer, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(1e-3, global_clipnorm=1.0), "mse", steps_per_execution=STEPS_PER_EXECUTION)
    model.optimizer.build(model.trainable_variables)  # else tf.function traces twice, once to make these variables
    trace_as_one(model)
    rewrite_graphs(kernel != "xla")
    timed = math.ceil(steps / STEPS_PER_EXECUTION) * STEPS_PER_EXECUTION
    first, rest = (Batches(data(length, count), BATCH).dataset for count in (WARM, timed + STEPS_PER_EXECUTION))
    began = time.perf_counter()
    model.fit(first, verbose=0)
    seconds = time.perf_counter() - began
    model.fit(rest, verbose=0, callbacks=[clock])
    step = statistics.median(later - earlier for earlier, later in zip(times, times[1:], strict=False))
    step /= STEPS_PER_EXECUTION
    return {"step": step, "compile": max(0.0, seconds - WARM * step)}


def rows(cells: list[str], lengths: list[int], widths: list[int], gpus: int) -> Iterator[Row]:
    """Each case with what its kernels take: `loop`, and `cudnn` on a GPU or `xla` elsewhere."""
    other = "cudnn" if gpus else "xla"
    for kernel in ("loop", other):  # what the first model of a process takes longer is no case's cost
        measure(kernel, cells[0], 2, 1, WARM)
    for cell in cells:
        for length in lengths:
            for width in widths:
                found = {kernel: measure(kernel, cell, length, width) for kernel in ("loop", other)}
                yield row(cell, length, width, other, found["loop"], found[other], gpus)


def row(
    cell: str, length: int, width: int, other: str, loop: dict[str, float], fast: dict[str, float], gpus: int
) -> Row:
    """One line of the table; `pays` and `chosen` are training steps, None for never."""
    saved, costs = loop["step"] - fast["step"], max(0.0, fast["compile"] - loop["compile"])
    return {
        "cell": cell,
        "length": length,
        "width": width,
        "kernel": other,
        "loop_ms": 1000 * loop["step"],
        "kernel_ms": 1000 * fast["step"],
        "loop_compile_s": loop["compile"],
        "kernel_compile_s": fast["compile"],
        "pays": round(costs / saved) if saved > 0 else None,
        "chosen": _chosen(cell, length, gpus),
    }


def _chosen(cell: str, length: int, gpus: int) -> int:
    """Training steps, with batches of one size, from which a search takes the kernel that is not `loop`."""
    from search_spaces import cells

    known = cells.load(cell)
    return 0 if gpus else int(known.XLA_COSTS / (known.XLA_SAVES * length)) + 1
