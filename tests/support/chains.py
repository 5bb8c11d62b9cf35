"""A language model whose probabilities are known."""

import keras
import numpy as np

from experiments.data import corpora
from search_spaces.recurrent import RecurrentSpace

VOCABULARY = corpora.vocabulary("the quick brown fox\njumps over a lazy dog.")


def language_model(recurrent: list[tuple[str, int]], symbols: int = len(VOCABULARY)) -> keras.Sequential:
    """Random weights, larger than Keras starts with: so that what is read decides what is written."""
    keras.utils.set_random_seed(2)
    space = RecurrentSpace(outputs=symbols, loss="categorical", tokens=symbols, per_step=True)
    model = space.stack(recurrent, 0.0)
    for layer in model.layers:
        factor = {"embedding": 20.0, "head": 8.0}.get(layer.name, 2.0)
        layer.set_weights([factor * weights for weights in layer.get_weights()])
    return model


CHAIN = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.3, 0.4, 0.3]])  # p(next | current) of the characters a, b, c


def markov_chain() -> keras.Sequential:
    """A plain RNN without memory whose logits are those of CHAIN, below an unknown as likely as the rest together."""
    model = language_model([("simple_rnn", 4)], symbols=4)
    logits = np.zeros((4, 4))
    logits[1:, 1:] = np.log(CHAIN)
    identity, nothing = np.eye(4), np.zeros(4)
    model.set_weights([identity, identity, np.zeros((4, 4)), nothing, logits / np.tanh(1), nothing])
    return model
