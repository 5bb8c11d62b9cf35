"""The plain recurrent cell: h[t] = tanh(x[t] W + h[t-1] U + b) (Elman 1990).

Its gradient shrinks or grows by a factor at every step: the signal is lost after some tens of steps. The recurrent
matrix starts orthogonal (Saxe et al. 2013, arXiv:1312.6120), Keras' default.
"""

import keras

CUDNN = False  # Keras has no cuDNN path for SimpleRNN


def layer(width: int, return_sequences: bool, name: str) -> keras.layers.Layer:
    return keras.layers.SimpleRNN(width, return_sequences=return_sequences, name=name)
