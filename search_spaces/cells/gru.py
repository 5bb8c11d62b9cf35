"""Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078) in its `reset_after` form, the one that cuDNN computes.

z, r = sigmoid(x[t] W + b + h[t-1] U + b'); n = tanh(x[t] W + b + r (h[t-1] U + b')); h[t] = z h[t-1] + (1 - z) n.
In Keras z is the gate that keeps.
"""

from typing import TYPE_CHECKING, Any

from search_spaces.cells import Facts

if TYPE_CHECKING:
    import keras

FACTS = Facts(
    gates=3,
    inits=("default", "orthogonal", "chrono"),
    keep_gate="keep",
    cudnn=True,
    xla_compile_seconds=0.6,
    xla_saved_seconds=1.3e-4,
    native_saved_seconds=1.4e-4,
)


def layer(width: int, return_sequences: bool, name: str, kernel: str = "loop", **start: Any) -> "keras.layers.Layer":
    """Without a bias in `start` every bias begins at 0."""
    import keras

    from search_spaces import initializers

    kind = keras.layers.GRU
    if kernel == "xla":
        from search_spaces.scans.gru import ScannedGRU

        kind = ScannedGRU
    elif kernel == "native":
        from search_spaces.native.layers import NativeGRU

        kind = NativeGRU
    weights = initializers.gated(initializers.KeepBias, initializers.KeepChrono, **start)
    return kind(width, return_sequences=return_sequences, reset_after=True, name=name, **weights)
