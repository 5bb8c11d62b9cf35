"""The largest number of operations that a core can do in a second, and the share of it that a layer reaches.

The peak is measured with the tile of search_spaces/native: its sums stay in registers, and each of them gets a product
and a sum in one instruction, again and again. Nothing is read from memory.
"""

import statistics
import time
from typing import Any

import numpy as np

from experiments.training.kernel_speed import BATCH, FEATURES, data

TURNS = 200_000  # of the loop, about two milliseconds
CALLS = 16  # of a layer in one graph, as an execution has sixteen training steps


def peak() -> float:
    """Operations a second of this core, the best of twenty runs. A product and a sum are two operations."""
    from search_spaces.native import ready

    ready.load()
    from search_spaces.native.product import SHAPE

    rows, vectors = SHAPE.wide
    spin = _spinning(rows, vectors, SHAPE.lanes)
    spin(1, 1.0)  # compiles it
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        spin(TURNS, 1.0)
        seconds.append(time.perf_counter() - began)
    return 2 * TURNS * rows * vectors * SHAPE.lanes / min(seconds)


def _spinning(rows: int, vectors: int, lanes: int) -> Any:
    """A function of (turns, factor). Each turn multiplies every sum of a tile with the factor and adds it."""
    from llvmlite import ir
    from numba import njit, types
    from numba.core import cgutils
    from numba.extending import intrinsic

    from search_spaces.native.tile import FLOAT, FUSED, repeated

    @intrinsic
    def spin(typing: Any, turns: Any, factor: Any) -> Any:
        def code(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            vector, many = ir.VectorType(FLOAT, lanes), repeated(build, arguments[1], lanes)
            sums = [cgutils.alloca_once(build, vector) for _ in range(rows * vectors)]
            for number, place in enumerate(sums):
                build.store(ir.Constant(vector, [float(number)] * lanes), place)
            with cgutils.for_range(build, arguments[0]):
                for place in sums:
                    product = build.fmul(build.load(place), many, flags=FUSED)
                    build.store(build.fadd(product, many, flags=FUSED), place)
            whole = build.load(sums[0])
            for place in sums[1:]:  # a result that is not used would not be computed
                whole = build.fadd(whole, build.load(place))
            return build.extract_element(whole, ir.IntType(32)(0))

        return types.float32(types.int64, types.float32), code

    return njit("f4(i8,f4)")(lambda turns, factor: spin(turns, factor))


def layer_seconds(kernel: str, cell: str, length: int, width: int) -> float:
    """Seconds that a layer takes forward and backward: the median, without the rest of a training step.

    TensorFlow runs it as a worker's training does, so the way into the kernel counts. The gradients are those of the
    weights, as in a first layer.
    """
    import tensorflow as tf

    from search_spaces.cells import load
    from search_spaces.native.layers import reads_data

    layer = load(cell).layer(width, False, cell, kernel)
    reads_data(layer)
    batches = [tf.constant(part) for part in np.split(data(length, CALLS)[0], CALLS)]
    layer.build(batches[0].shape)
    weights = [part.value for part in layer.trainable_variables]

    @tf.function(autograph=False)
    def run() -> Any:
        found: list[Any] = []
        for batch in batches:
            with tf.control_dependencies([one for one, *_ in found]):  # one call after the other, as in training
                x = tf.identity(batch)
            with tf.GradientTape() as tape:
                size = tf.reduce_sum(layer(x))
            found.append(tape.gradient(size, weights))
        return [tf.add_n(parts) for parts in zip(*found, strict=True)]

    run()
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) / CALLS


def layer_operations(cell: str, length: int, width: int) -> float:
    """Operations of a layer in a training step, as cost.py counts them."""
    import keras

    from search_spaces.cells import load
    from search_spaces.cost import training_flops

    layer = load(cell).layer(width, True, cell, "loop")
    return training_flops(keras.Sequential([keras.Input((length, FEATURES)), layer]), length, True, BATCH)
