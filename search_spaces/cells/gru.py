"""Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078) in its `reset_after` form, the one cuDNN computes."""

import keras

CUDNN = True


def layer(width: int, return_sequences: bool, name: str) -> keras.layers.Layer:
    return keras.layers.GRU(width, return_sequences=return_sequences, reset_after=True, name=name)
