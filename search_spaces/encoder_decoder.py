"""An encoder that reads a source, and a decoder that begins with its states and writes a target.

Sutskever et al. 2014, arXiv:1409.3215. Layer i of the decoder begins with the last state of layer i of the encoder, so
both halves have the same cells and widths. With attention "dot" each step of the decoder also reads the steps of the
encoder, weighted by the "general" score of Luong et al. 2015, arXiv:1508.04025. The result is not fed into the next
step, so cuDNN and the compiled scan compute both halves.

The model has one input, int32 `(batch, source + target)`. Behind the source stand a start symbol and the target. It
returns the logits of the next symbol at each step of the target, `(batch, target, outputs)`. 0 is padding, and stands
only at the end of the source and of the target.
"""

from collections.abc import Sequence
from typing import Any

import keras

from search_spaces.architecture import EMBEDDING
from search_spaces.halves import DECODER, ENCODER, KEYS, SOURCE, TARGET

# Keras' own embeddings are so small that a model of many words learns little more than how frequent the words are. With
# N(0, 1) the default of `translate` is right on 0.956 after 8 epochs (GRU-128 with attention), with N(0, 0.3) on 0.993.
SPREAD = 0.3


def model(
    source_steps: int,
    tokens: int,
    outputs: int,
    encoder: Sequence[keras.layers.Layer],
    decoder: Sequence[keras.layers.Layer],
    dropout: float,
    attention: str,
    spread: float,
) -> keras.Model:
    """The model.

    Args:
        source_steps: steps of the source; the rest of the input is the target.
        tokens: of the source.
        outputs: tokens of the target.
        encoder, decoder: the recurrent layers of both halves. All return their states and every step.
        attention: one of `halves.ATTENTIONS`.
        spread: the standard deviation of the first embeddings.
    """
    x = keras.Input((None,), dtype="int32", name="x")
    source, target = x[:, :source_steps], x[:, source_steps:]
    read, states = _embedding(tokens, SOURCE, True, spread)(source), []
    for number, layer in enumerate(encoder, start=1):
        read, *state = layer(_dropped(read, dropout, f"{ENCODER}dropout_{number}", number))
        states.append(state)
    written = _embedding(outputs, TARGET, False, spread)(target)
    for number, (layer, state) in enumerate(zip(decoder, states, strict=True), start=1):
        begun = _dropped(written, dropout, f"{DECODER}dropout_{number}", number)
        written, *_ = layer(begun, initial_state=state)
    if attention == "dot":
        written = _attended(written, read, source)
    return keras.Model(x, keras.layers.Dense(outputs, name="head")(written))


def _embedding(size: int, name: str, masked: bool, spread: float) -> keras.layers.Layer:
    # An initialiser draws its seed when it is made: one that is made at the import would not know the search's seed.
    normal = keras.initializers.RandomNormal(stddev=spread)
    return keras.layers.Embedding(
        size, min(EMBEDDING, size), mask_zero=masked, embeddings_initializer=normal, name=name
    )


def _dropped(x: Any, dropout: float, name: str, number: int) -> Any:
    """The input of a layer; between two layers some of it is dropped."""
    return keras.layers.Dropout(dropout, name=name)(x) if dropout and number > 1 else x


def _attended(written: Any, read: Any, source: Any) -> Any:
    """What the decoder has written, and beside it what it looks at in the source, brought back to its width."""
    width = written.shape[-1]
    keys = keras.layers.Dense(width, use_bias=False, name=KEYS)(read)
    # The layer's own mask is lost where states are returned, so it is given.
    real = [None, keras.ops.not_equal(source, 0)]
    seen = keras.layers.Attention(name="attention")([written, read, keys], mask=real)
    beside = keras.layers.Concatenate(name="attention_beside")([written, seen])
    return keras.layers.Dense(width, activation="tanh", name="attention_out")(beside)
