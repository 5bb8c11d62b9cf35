"""Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate that starts open (Gers et al. 2000).

Keras' defaults keep the cuDNN kernel usable: tanh, sigmoid gates, a bias, no recurrent dropout, no unrolling.
"""

import keras

CUDNN = True


def layer(width: int, return_sequences: bool, name: str) -> keras.layers.Layer:
    return keras.layers.LSTM(width, return_sequences=return_sequences, name=name)
