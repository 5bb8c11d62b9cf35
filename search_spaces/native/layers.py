"""Keras' recurrent layers with the kernel `native`."""

import keras

from search_spaces.native import gru, lstm, simple_rnn
from search_spaces.native.layer import Native
from search_spaces.native.sequence import Cell


@keras.saving.register_keras_serializable("recurrent_search")
class NativeGRU(Native, keras.layers.GRU):
    """`keras.layers.GRU` with the kernel `native`."""

    native = gru.CELL


@keras.saving.register_keras_serializable("recurrent_search")
class NativeLSTM(Native, keras.layers.LSTM):
    """`keras.layers.LSTM` with the kernel `native`."""

    native = lstm.CELL


@keras.saving.register_keras_serializable("recurrent_search")
class NativeSimpleRNN(Native, keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, tanh or relu, with the kernel `native`."""

    @property
    def native(self) -> Cell:
        return {"tanh": simple_rnn.TANH, "relu": simple_rnn.RELU}[keras.activations.serialize(self.activation)]
