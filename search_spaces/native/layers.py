"""Keras' recurrent layers with the kernel `native`. Numba is imported when such a layer computes."""

from typing import Any

import keras
import tensorflow as tf

from search_spaces.native import door, ready
from search_spaces.native.sequence import Cell


class Native:
    """Computes a Keras recurrent layer with a kernel. A subclass names this class first and the Keras layer second.

    The layer has the settings of cells/: a bias, the usual activations, no dropout inside, `reset_after` for a GRU.
    `of_inputs` is False for a layer whose inputs are data. Then it has no gradient of its inputs, which takes time.
    """

    of_inputs = True

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.supports_jit = False  # XLA cannot compile a function of Python

    @property
    def native(self) -> Cell:
        raise NotImplementedError

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Keras' layers call this after they have checked their inputs and before they check their outputs."""
        cell: Any = self.cell  # type: ignore[attr-defined]
        weights = [tf.convert_to_tensor(part.value) for part in (cell.kernel, cell.recurrent_kernel, cell.bias)]
        how = self.return_sequences, self.go_backwards, self.of_inputs  # type: ignore[attr-defined]
        outputs, states = door.run(self.native, sequences, mask, initial_state, weights, *how)
        return states[0], states[0][:, None] if outputs is None else outputs, states


@keras.saving.register_keras_serializable("recurrent_search")
class NativeGRU(Native, keras.layers.GRU):
    """`keras.layers.GRU` with the kernel `native`."""

    @property
    def native(self) -> Cell:
        return ready.cell("gru")


@keras.saving.register_keras_serializable("recurrent_search")
class NativeLSTM(Native, keras.layers.LSTM):
    """`keras.layers.LSTM` with the kernel `native`."""

    @property
    def native(self) -> Cell:
        return ready.cell("lstm")


@keras.saving.register_keras_serializable("recurrent_search")
class NativeSimpleRNN(Native, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, tanh or relu, with the kernel `native`."""

    @property
    def native(self) -> Cell:
        return ready.cell("simple_rnn", keras.activations.serialize(self.activation).upper())


def reads_data(layer: keras.layers.Layer) -> None:
    """Tells a recurrent layer that its inputs are data: nobody asks for their gradient, so it is not computed.

    A copy of the layer by its configuration has the gradient again.
    """
    for part in (getattr(layer, name, layer) for name in ("forward_layer", "backward_layer")):
        if isinstance(part, Native):
            part.of_inputs = False
