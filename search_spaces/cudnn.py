"""SimpleRNN on cuDNN: TensorFlow's op can compute it, Keras asks the op for LSTM and GRU alone.

The op computes h[t] = tanh or relu(W x[t] + b + R h[t-1] + b'). Its parameters are one vector: W row by row, with a row
for each unit, R in the same way, b, b'. Keras has one bias: it becomes b', and b is zero, as Keras does for LSTM.
"""

import importlib
from typing import Any

import keras
import tensorflow as tf

# By name, since `keras.src.backend.tensorflow.rnn` is a function that hides the module.
backend: Any = importlib.import_module("keras.src.backend.tensorflow.rnn")
MODES = {"tanh": "rnn_tanh", "relu": "rnn_relu"}


@keras.saving.register_keras_serializable("recurrent_search")  # Bidirectional copies its layer by its configuration
class SimpleRNN(keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, tanh or relu, with the kernel `cudnn`; without a GPU it is computed as Keras does.

    Masks must be right-padded, which is checked when it runs; outputs behind the end of a sequence are then zeros.
    It has Keras' name, by which a file of weights knows a layer: either loads the other's.
    """

    def __init__(self, units: int, **more: Any) -> None:
        super().__init__(units, **more)
        self.supports_jit = False  # XLA cannot compile cuDNN's op

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """What Keras' layers call between the checks of their inputs and those of their outputs."""
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
            input_c=tf.zeros((), sequences.dtype),  # which only LSTMs have
            params=_parameters(self.cell),
            is_training=True,  # keeps what the gradient needs
            rnn_mode=mode,
            sequence_lengths=lengths,
            time_major=False,
        )
        if self.go_backwards:  # Keras gives outputs in the order of reading, with padding first
            outputs = tf.reverse(tf.reverse_sequence(outputs, lengths, seq_axis=1), [1])
        last = last[:, 0]
        return last, outputs, [last]


def _lengths(sequences: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Steps of each sequence `(batch,)`; the mask is checked."""
    if mask is None:
        return tf.fill([tf.shape(sequences)[0]], tf.shape(sequences)[1])
    backend._assert_valid_mask(mask)
    return tf.reduce_sum(tf.cast(mask, tf.int32), 1)


def _parameters(cell: Any) -> tf.Tensor:
    kernel, recurrent, bias = (
        tf.convert_to_tensor(part.value) for part in (cell.kernel, cell.recurrent_kernel, cell.bias)
    )
    weights = [tf.reshape(tf.transpose(part), [-1]) for part in (kernel, recurrent)]
    return tf.concat([*weights, tf.zeros_like(bias), bias], 0)
