"""Initialisations that help a cell to remember. They change only weights, so cuDNN's kernels stay usable.

Gates stand in Keras' order. LSTM has i, f, c, o in a bias `(4 units,)`. GRU has z, r, h in a bias `(2, 3 units)`, whose
row 0 is added to the input's products and row 1 to the state's. The keep gate is LSTM's f and GRU's z:
h[t] = z h[t-1] + (1 - z) n.
"""

from collections.abc import Sequence
from typing import Any

import keras

# Keras copies a layer by its configuration, in which it looks initialisers up by their registered names.
ours = keras.saving.register_keras_serializable("recurrent_search")


@ours
class OrthogonalPerGate(keras.initializers.Orthogonal):
    """Recurrent weights `(units, gates units)` with an orthogonal block for each gate, times `gain`, 1 by default.

    Keras draws the whole matrix `(units, gates units)` at once: its rows are orthonormal, its blocks are not
    orthogonal.
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        units, gates = shape[0], shape[1] // shape[0]
        q, r = keras.ops.qr(keras.random.normal((gates, units, units), dtype=dtype, seed=self.seed))
        # Without these signs the matrices are not drawn uniformly (Mezzadri 2007).
        q = q * keras.ops.sign(keras.ops.diagonal(r, axis1=1, axis2=2))[:, None]
        return keras.ops.reshape(keras.ops.transpose(self.gain * q, (1, 0, 2)), shape)


@ours
class IdentityPerGate(keras.initializers.Initializer):
    """Recurrent weights `(units, gates units)`: an identity per gate (Cooijmans et al. 2017, arXiv:1603.09025)."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return keras.ops.tile(keras.ops.eye(shape[0], dtype=dtype), (1, shape[1] // shape[0]))


@ours
class ForgetBias(keras.initializers.Initializer):
    """LSTM's bias: `value` for the forget gate, 0 for the others (Gers et al. 2000; Jozefowicz et al. 2015)."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return _lstm(0.0, keras.ops.full((shape[0] // 4,), self.value, dtype))

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}


@ours
class KeepBias(ForgetBias):
    """GRU's bias: `value` for the keep gate, 0 for the others. Only row 0 has it, since the rows are added up."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return _gru(keras.ops.full((shape[1] // 3,), self.value, dtype))


@ours
class Chrono(keras.initializers.RandomUniform):
    """LSTM's bias: b = ln U[1, longest - 1] for the forget gate, -b for the input gate, 0 for the others.

    A unit with forget bias ln T keeps for about T steps (Tallec & Ollivier 2018, arXiv:1804.11188).

    Args:
        longest: steps that the longest dependency spans, 2 or more.
    """

    def __init__(self, longest: int, seed: int | None = None) -> None:
        super().__init__(1.0, longest - 1.0, seed)
        self.longest = longest

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        bias = self._keep_bias(shape[0] // 4, dtype)
        return _lstm(-bias, bias)

    def _keep_bias(self, units: int, dtype: Any) -> Any:
        return keras.ops.log(super().__call__((units,), dtype))

    def get_config(self) -> dict[str, Any]:
        return {"longest": self.longest, "seed": super().get_config()["seed"]}


@ours
class KeepChrono(Chrono):
    """GRU's bias: ln U[1, longest - 1] in row 0 for the keep gate, 0 for the others."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return _gru(self._keep_bias(shape[1] // 3, dtype))


PER_GATE = {"orthogonal": OrthogonalPerGate, "identity": IdentityPerGate}  # recurrent weights of a gated cell


def gated(
    bias_kind: type[keras.initializers.Initializer],
    chrono_kind: type[keras.initializers.Initializer],
    init: str = "default",
    bias: float | None = None,
    longest: int = 2,
) -> dict[str, Any]:
    """How the weights of a gated layer begin, as arguments of the Keras layer; {} is Keras' default.

    Args:
        bias_kind: makes the layer's bias from `bias`.
        chrono_kind: makes the layer's bias from `longest` if `init` is chrono. `bias` is not used then.
        init: default, orthogonal, identity or chrono.
        bias: the first bias of the keep gate; None leaves Keras' bias.
        longest: steps that the longest dependency spans.
    """
    found: dict[str, Any] = {}
    if init in PER_GATE:
        found["recurrent_initializer"] = PER_GATE[init]()
    if init == "chrono":
        found["bias_initializer"] = chrono_kind(longest)
    elif bias is not None:
        found["bias_initializer"] = bias_kind(bias)
    return found


def _lstm(of_input: Any, of_forget: Any) -> Any:
    zeros = keras.ops.zeros_like(of_forget)
    return keras.ops.concatenate([zeros + of_input, of_forget, zeros, zeros])


def _gru(of_keep: Any) -> Any:
    zeros = keras.ops.zeros_like(of_keep)
    row = keras.ops.concatenate([of_keep, zeros, zeros])
    return keras.ops.stack([row, keras.ops.zeros_like(row)])
