"""Initialisations that make memory. They change weights, never shapes or activations: cuDNN's kernels stay usable.

Gates stand in Keras' order: LSTM i, f, c, o in a bias `(4 units,)`; GRU z, r, h in a bias `(2, 3 units)`, whose row 0
goes with the input and row 1 with the state. LSTM's f keeps, and so does GRU's z: h[t] = z h[t-1] + (1 - z) n.
"""

from collections.abc import Sequence
from typing import Any

import keras

ours = keras.saving.register_keras_serializable("recurrent_search")  # layers are copied by their configuration


@ours
class OrthogonalPerGate(keras.initializers.Orthogonal):
    """Recurrent weights `(units, gates units)` of separate orthogonal blocks, one a gate, of singular values `gain`, 1.

    Keras draws `(units, gates units)` as a whole: its rows are orthonormal, its blocks are not orthogonal.
    """

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        units, gates = shape[0], shape[1] // shape[0]
        q, r = keras.ops.qr(keras.random.normal((gates, units, units), dtype=dtype, seed=self.seed))
        q = q * keras.ops.sign(keras.ops.diagonal(r, axis1=1, axis2=2))[:, None]  # else not uniform (Mezzadri 2007)
        return keras.ops.reshape(keras.ops.transpose(self.gain * q, (1, 0, 2)), shape)


@ours
class IdentityPerGate(keras.initializers.Initializer):
    """Recurrent weights `(units, gates units)` of identity blocks (Cooijmans et al. 2017, arXiv:1603.09025)."""

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
    """GRU's bias: `value` for the gate that keeps, in row 0 alone, else z would get it twice; 0 for the others."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return _gru(keras.ops.full((shape[1] // 3,), self.value, dtype))


@ours
class Chrono(keras.initializers.RandomUniform):
    """LSTM's bias: ln U[1, longest - 1] for the forget gate, minus that for the input gate, 0 for the others.

    A unit with forget bias ln T keeps for about T steps (Tallec & Ollivier 2018, arXiv:1804.11188).

    Args:
        longest: steps that the longest dependency spans, 2 or more.
    """

    def __init__(self, longest: int, seed: int | None = None) -> None:
        super().__init__(1.0, longest - 1.0, seed)
        self.longest = longest

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        keeps = self._keeps(shape[0] // 4, dtype)
        return _lstm(-keeps, keeps)

    def _keeps(self, units: int, dtype: Any) -> Any:
        return keras.ops.log(super().__call__((units,), dtype))

    def get_config(self) -> dict[str, Any]:
        return {"longest": self.longest, "seed": super().get_config()["seed"]}


@ours
class KeepChrono(Chrono):
    """GRU's bias: ln U[1, longest - 1] for the gate that keeps, in row 0; 0 for the others."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return _gru(self._keeps(shape[1] // 3, dtype))


def per_gate(init: str) -> dict[str, Any]:
    """What a gated layer's recurrent weights begin as, as an argument of the Keras layer; Keras' default is {}."""
    kinds = {"orthogonal": OrthogonalPerGate, "identity": IdentityPerGate}
    return {"recurrent_initializer": kinds[init]()} if init in kinds else {}


def _lstm(of_input: Any, of_forget: Any) -> Any:
    zeros = keras.ops.zeros_like(of_forget)
    return keras.ops.concatenate([zeros + of_input, of_forget, zeros, zeros])


def _gru(of_keep: Any) -> Any:
    zeros = keras.ops.zeros_like(of_keep)
    row = keras.ops.concatenate([of_keep, zeros, zeros])
    return keras.ops.stack([row, keras.ops.zeros_like(row)])
