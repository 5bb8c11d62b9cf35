"""SimpleRNN on cuDNN. TensorFlow's operation for cuDNN can compute it, but Keras uses it for LSTM and GRU only.

The operation computes h[t] = tanh or relu(W x[t] + b + R h[t-1] + b'). Its parameters are one vector: W row by row
with a row for each unit, then R in the same way, then b and b'. Keras has one bias. It becomes b', and b is zero; Keras
does the same for LSTM.
"""

import importlib
from typing import Any

import keras
import tensorflow as tf

# Imported by name, since the attribute `keras.src.backend.tensorflow.rnn` is a function with the module's name.
backend: Any = importlib.import_module("keras.src.backend.tensorflow.rnn")
MODES = {"tanh": "rnn_tanh", "relu": "rnn_relu"}


@keras.saving.register_keras_serializable("recurrent_search")  # Bidirectional copies its layer by its configuration
class SimpleRNN(keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, tanh or relu, with the kernel `cudnn`; without a GPU Keras' own loop computes it.

    A mask must be right-padded, which is checked when the layer runs. Outputs behind the end of a sequence are zeros.
    A file of weights finds a layer by the name of its class. This class has Keras' name, so both classes load each
    other's files.
    """

    def __init__(self, units: int, **more: Any) -> None:
        super().__init__(units, **more)
        self.supports_jit = False  # XLA cannot compile cuDNN's op

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Keras' layers call this after they have checked their inputs and before they check their outputs."""
        plain = self.use_bias and not (self.unroll or self.dropout or self.recurrent_dropout)
        mode = MODES.get(keras.activations.serialize(self.activation))
        if not (plain and mode and backend._is_gpu_available()):
            return super().inner_loop(sequences, initial_state, mask, training)
        lengths = _lengths(sequences, mask)
        if self.go_backwards:
            sequences = tf.reverse_sequence(sequences, lengths, seq_axis=1)
        outputs, last, *_ = tf.raw_ops.CudnnRNNV3(
            input=sequences,
            input_h=initial_state[0][:, None],
            input_c=tf.zeros((), sequences.dtype),  # only an LSTM has this state
            params=_parameters(self.cell),
            is_training=True,  # the operation then keeps what the gradient needs
            rnn_mode=mode,
            sequence_lengths=lengths,
            time_major=False,
        )
        if self.go_backwards:  # Keras returns outputs in the order in which they are computed, with padding first
            outputs = tf.reverse(tf.reverse_sequence(outputs, lengths, seq_axis=1), [1])
        last = last[:, 0]
        return last, outputs, [last]


def _lengths(sequences: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """The number of steps of each sequence, `(batch,)`. The mask is checked."""
    if mask is None:
        return tf.fill([tf.shape(sequences)[0]], tf.shape(sequences)[1])
    backend._assert_valid_mask(mask)
    return tf.reduce_sum(tf.cast(mask, tf.int32), 1)


def _parameters(cell: Any) -> tf.Tensor:
    """The vector of parameters that the docstring of this file describes."""
    kernel, recurrent, bias = (
        tf.convert_to_tensor(part.value) for part in (cell.kernel, cell.recurrent_kernel, cell.bias)
    )
    weights = [tf.reshape(tf.transpose(part), [-1]) for part in (kernel, recurrent)]
    return tf.concat([*weights, tf.zeros_like(bias), bias], 0)
