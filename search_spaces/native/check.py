"""Says whether the kernels can be used here: each cell is compared with Keras' own loop, once on a machine."""

import functools
from contextlib import suppress
from typing import Any

from search_spaces.native import compiled, ready

WIDTH, BATCH, STEPS, FEATURES = 45, 7, 3, 2  # the width needs tiles of several kinds on every processor
TOLERANCE = 1e-4


@functools.cache
def trouble() -> str:
    """Why the kernels cannot be used in this process; "" if they can.

    The comparison takes 0.3 s. A file beside the compiled kernels says that they have passed it. Any error counts:
    Numba may be broken or too old, and a search then goes on with another kernel.
    """
    if why := ready.missing():
        return why
    try:
        ready.load()
        import keras
        import tensorflow as tf

        passed = compiled.checked(f"{keras.__version__}-{tf.__version__}")
        if passed is not None and passed.exists():
            return ""
        from search_spaces.native import layers

        kinds = layers.NativeSimpleRNN, layers.NativeLSTM, layers.NativeGRU
        why = next((why for kind in kinds if (why := _differs(kind))), "")
        if passed is not None and not why:
            with suppress(OSError):  # a full disk costs only time
                passed.touch()
        return why
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]


def _differs(kind: Any) -> str:
    """What differs between a kernel and Keras' own loop: outputs, last states or a gradient; "" if nothing."""
    import numpy as np

    stock = kind.__bases__[1]
    for one, other in zip(_outcome(kind), _outcome(stock), strict=True):
        if not np.allclose(one, other, rtol=0, atol=TOLERANCE * max(1.0, float(np.abs(other).max()))):
            return f"the kernel of {stock.__name__} differs from Keras' own by {np.abs(one - other).max():.2g}"
    return ""


def _outcome(kind: Any) -> list[Any]:
    """Outputs, last states and every gradient of a small layer. No random numbers of the program are used."""
    import numpy as np
    import tensorflow as tf

    layer = kind(WIDTH, kernel_initializer="zeros", recurrent_initializer="zeros", seed=0)
    layer.return_sequences = layer.return_state = True
    layer.build((None, None, FEATURES))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(scale=0.3, size=part.shape) for part in layer.weights])
    x = tf.constant(rng.normal(size=(BATCH, STEPS, FEATURES)), tf.float32)
    watched = [x, *(variable.value for variable in layer.trainable_variables)]
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = layer(x)
        size = tf.add_n([tf.reduce_sum(tf.sin(part)) for part in found])
    return [np.asarray(part) for part in (*found, *tape.gradient(size, watched))]
