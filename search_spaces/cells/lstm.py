"""Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate that starts open (Gers et al. 2000).

i, f, o = sigmoid(x[t] W + h[t-1] U + b), g = tanh(…); c[t] = f c[t-1] + i g; h[t] = o tanh(c[t]).
Keras' defaults keep the cuDNN kernel usable: tanh, sigmoid gates, a bias, no recurrent dropout, no unrolling.
"""

from typing import TYPE_CHECKING, Any

from search_spaces.cells import Facts

if TYPE_CHECKING:
    import keras

FACTS = Facts(
    gates=4,
    inits=("default", "orthogonal", "identity", "chrono"),
    keep_gate="forget",
    cudnn=True,
    xla_compile_seconds=0.9,
    xla_saved_seconds=6.5e-5,
    native_saved_seconds=7.5e-5,
)


def layer(width: int, return_sequences: bool, name: str, kernel: str = "loop", **start: Any) -> "keras.layers.Layer":
    """Without a bias in `start` the forget gate's bias begins at 1 and the others at 0."""
    import keras

    from search_spaces import initializers

    kind = keras.layers.LSTM
    if kernel == "xla":
        from search_spaces.scans.lstm import ScannedLSTM

        kind = ScannedLSTM
    elif kernel == "native":
        from search_spaces.native.layers import NativeLSTM

        kind = NativeLSTM
    weights = initializers.gated(initializers.ForgetBias, initializers.Chrono, **start)
    own_bias = {"unit_forget_bias": False} if "bias_initializer" in weights else {}
    return kind(width, return_sequences=return_sequences, name=name, **weights, **own_bias)
