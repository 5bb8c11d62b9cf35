"""The plain recurrent cell: h[t] = tanh(x[t] W + h[t-1] U + b) (Elman 1990).

Its gradient shrinks or grows by a factor at every step: the signal is lost after some tens of steps. The recurrent
matrix starts orthogonal (Saxe et al. 2013, arXiv:1312.6120), Keras' default.
"""

from typing import TYPE_CHECKING, Any

from search_spaces.cells import Facts

if TYPE_CHECKING:
    import keras

FACTS = Facts(
    gates=1,
    inits=("default", "identity"),
    cudnn=True,
    xla_compile_seconds=0.3,
    xla_saved_seconds=3.5e-5,
    native_saved_seconds=3.7e-5,
)
IRNN_STDDEV = 1e-3  # of the input weights


def layer(
    width: int, return_sequences: bool, name: str, kernel: str = "loop", init: str = "default"
) -> "keras.layers.Layer":
    """`identity` is the IRNN, whose state stays the same until inputs change it (Le et al. 2015, arXiv:1504.00941)."""
    import keras

    kind = keras.layers.SimpleRNN
    if kernel == "xla":
        from search_spaces.scans.simple_rnn import ScannedSimpleRNN

        kind = ScannedSimpleRNN
    elif kernel == "native":
        from search_spaces.native.layers import NativeSimpleRNN

        kind = NativeSimpleRNN
    elif kernel == "cudnn":
        from search_spaces import cudnn

        kind = cudnn.SimpleRNN
    weights: dict[str, Any] = {}
    if init == "identity":
        weights = {"activation": "relu", "recurrent_initializer": "identity"}
        weights["kernel_initializer"] = keras.initializers.RandomNormal(stddev=IRNN_STDDEV)
    return kind(width, return_sequences=return_sequences, name=name, **weights)
