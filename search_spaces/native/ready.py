"""Loads the kernels and says whether they can be used here. `python -m search_spaces.native.ready` compiles them."""

import functools
import importlib
import importlib.util
from typing import Any

from search_spaces.native import compiled

WIDTHS, BATCH, STEPS, FEATURES = (45,), 7, 3, 2  # the width needs tiles of every kind, on every processor
TOLERANCE = 1e-4


def missing() -> str:
    """Why the kernels cannot be loaded, as far as that is known without loading them; "" if nothing is known."""
    return "" if importlib.util.find_spec("numba") else "Numba is not installed"


@functools.cache
def load() -> None:
    """Imports the kernels. Numba compiles them, in about 20 s, or finds what it has compiled before, in half a second.

    Raises whatever Numba raises on a processor or with a version that it does not fit.
    """
    import numba

    before = numba.config.CACHE_DIR
    with compiled.kept() as place:
        from search_spaces.native import options

        options.OPTIONS["cache"] = place is not None
        numba.config.CACHE_DIR = str(place or "")
        try:
            for name in ("gru", "lstm", "simple_rnn"):
                importlib.import_module(f"search_spaces.native.{name}")
        finally:
            numba.config.CACHE_DIR = before


@functools.cache
def trouble() -> str:
    """Why the kernels cannot be used in this process; "" if they can. Each cell is compared with Keras' own loop once.

    Any error counts: Numba may be broken or too old, and a search then goes on with another kernel.
    """
    if why := missing():
        return why
    try:
        load()
        return next((why for name in ("gru", "lstm", "simple_rnn") if (why := _differs(name))), "")
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]


def _differs(name: str) -> str:
    """What differs between a cell's kernel and Keras' own loop: outputs, last states or a gradient; "" if nothing."""
    import numpy as np

    by_kernel, by_loop = (_outcome(name, kernel) for kernel in ("native", "loop"))
    for one, other in zip(by_kernel, by_loop, strict=True):
        if not np.allclose(one, other, rtol=0, atol=TOLERANCE * max(1.0, float(np.abs(other).max()))):
            return f"the kernel of {name} differs from Keras' own by {np.abs(one - other).max():.2g}"
    return ""


def _outcome(name: str, kernel: str) -> list[Any]:
    """Outputs, last states and every gradient of a small layer."""
    import numpy as np
    import tensorflow as tf

    from search_spaces import cells

    layer: Any = cells.load(name).layer(WIDTHS[0], True, "test", kernel)
    layer.return_state = True
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


if __name__ == "__main__":
    load()
