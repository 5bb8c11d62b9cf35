"""The space of recurrent models: cell × depth × width × learning rate × dropout, and recipes.

space = RecurrentSpace(features=2, outputs=1, loss="mse", cells=["lstm", "gru"], depths=[1, 2], widths=[32, 64])
tuner = keras_tuner.RandomSearch(space, objective="val_loss", max_trials=4)
tuner.search(x, y, validation_data=(x_val, y_val), epochs=2)
"""

from collections.abc import Sequence
from typing import Any

import keras
import keras_tuner

from search_spaces import cells as known_cells
from search_spaces import encoder_decoder, halves
from search_spaces.architecture import EMBEDDING, layers, switched
from search_spaces.dimensions import NONE, declare
from search_spaces.errors import SpaceError
from search_spaces.kernels import AUTO, kernel, kernel_again
from search_spaces.losses import masked_binary
from search_spaces.native.layers import reads_data
from search_spaces.recipe import NO, Recipe, check_inits, check_memory, check_words
from search_spaces.residual import add_up
from search_spaces.values import Real, Whole, check_real

LOSSES = {  # means over everything that is scored; class -1 and bit -1 are not scored
    "mse": lambda: keras.losses.MeanSquaredError(),
    "categorical": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1),
    "binary": masked_binary,
}
OPTIMIZERS = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
NO_DROPOUT = [0.0]
PLAIN = Recipe()


class RecurrentSpace(keras_tuner.HyperModel):
    """Models with recurrent layers and a linear head; cuDNN can compute every layer whose cell it knows.

    Args:
        outputs: size of the head; for the categorical loss the number of classes, for the binary one that of bits.
        loss: "mse", "categorical" (logits against integer classes) or "binary" (logits against floats 0 and 1).
        features: the input has shape `(batch, time, features)` and holds floats. Either this or `tokens` is given.
        tokens: the input has shape `(batch, time)` and holds integers below `tokens`, which are embedded.
        one_hot: tokens are read as one-hot vectors, without weights, instead of trained embeddings.
        padding: the value of x behind the end of a sequence; 0 for tokens. The answer is read at the last step before
            the padding. Padding stands only at the end, since cuDNN's kernels need that.
        per_step: an output at every step `(batch, time, outputs)` instead of one at the last step `(batch, outputs)`.
        cells: cells to choose from; by default all that have no memory.
        depths: numbers of recurrent layers.
        widths: units of a layer.
        source_steps: makes an encoder and a decoder, see encoder_decoder.py; the first so many tokens of a sequence are
            the source, `tokens` are those of the source, and `outputs` those of the target. It needs `per_step`.
        attention: with `source_steps` the words of `halves.ATTENTIONS` to choose from.
        embedding_spread: the standard deviation of the first embeddings, drawn from N(0, s). None: those of a stack are
            Keras' own, which lie evenly between -0.05 and 0.05, and those of an encoder and a decoder have 0.3.
        mixed: each layer has its own cell and width.
        learning_rate, dropout: a list of values, or the two ends of an interval. The rate is drawn on a log scale.
            Dropout lies between recurrent layers, so a model of depth 1 has none.
        decay_steps: training steps over which the learning rate falls to zero, along half a cosine wave (Loshchilov &
            Hutter 2017, arXiv:1608.03983). By default the rate is constant.
        recipe: initialisations, biases, clipping, optimisers, memories, residual connections, reading from both ends;
            see `Recipe`.
        gpus, work, sizes, asked: decide which kernel computes the recurrent layers; see `kernels.kernel`.

    Raises SpaceError for an argument it cannot use.
    """

    def __init__(
        self,
        outputs: int,
        loss: str,
        features: int | None = None,
        tokens: int | None = None,
        one_hot: bool = False,
        padding: float | None = None,
        per_step: bool = False,
        source_steps: int | None = None,
        attention: Sequence[str] = NONE,
        embedding_spread: float | None = None,
        cells: Sequence[str] | None = None,
        depths: Whole = range(1, 4),
        widths: Whole = range(16, 129, 16),
        mixed: bool = False,
        learning_rate: Real = (1e-4, 1e-2),
        dropout: Real = NO_DROPOUT,
        decay_steps: int | None = None,
        recipe: Recipe = PLAIN,
        gpus: int = 0,
        work: int = 0,
        sizes: int = 1,
        asked: str = AUTO,
    ) -> None:
        super().__init__(name="recurrent")
        _check_data(features, tokens, padding, loss, decay_steps)
        _check_spread(embedding_spread, tokens is not None and not one_hot)
        _check_dimensions(cells, depths, widths, learning_rate, dropout)
        self.cells = list(known_cells.searched() if cells is None else cells)
        check_inits(self.cells, recipe.inits)
        _check_halves(source_steps, tokens, one_hot, per_step, attention, recipe)
        check_memory(self.cells, depths, mixed, recipe, source_steps is not None)
        self.source_steps, self.attention = source_steps, attention
        self.outputs, self.loss, self.features, self.tokens, self.per_step = outputs, loss, features, tokens, per_step
        self.one_hot, self.padding, self.embedding_spread = one_hot, padding, embedding_spread
        self.depths, self.widths, self.mixed = depths, widths, mixed
        self.learning_rate, self.dropout, self.decay_steps = learning_rate, dropout, decay_steps
        self.recipe, self.gpus, self.work, self.sizes, self.asked = recipe, gpus, work, sizes, asked
        self.begun: tuple[str, str] | None = None  # the kernel that the next model's training began with, and why

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        """Declares all names, those of the deepest model too; see `dimensions.declare`."""
        real = self.learning_rate, self.dropout
        declare(hp, self.cells, self.depths, self.widths, self.mixed, *real, self.recipe, self.attention)

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """A compiled model for any batch size and any length; declares the names that `hp` lacks."""
        self.declare_hyperparameters(hp)
        values = hp.values
        on, dropout, starts = switched(values), values.get("dropout", 0.0), self.recipe.starts(values)
        if self.source_steps:
            model = self.halves(layers(values), dropout, starts, values.get("attention", "none"))
        else:
            model = self.stack(layers(values), dropout, starts, "residual" in on, "bidirectional" in on)
        rate = hp.get("learning_rate")
        schedule = keras.optimizers.schedules.CosineDecay(rate, self.decay_steps) if self.decay_steps else rate
        clip = values.get("clip", 1.0) or None
        more = {"momentum": values["momentum"]} if "momentum" in values else {}
        optimizer = OPTIMIZERS[values.get("optimizer", "adam")](schedule, global_clipnorm=clip, **more)
        whole = {"jit_compile": True} if known_cells.with_memory(cell for cell, _ in layers(values)) else {}
        model.compile(optimizer, LOSSES[self.loss](), **whole)
        return model

    def kernel(self, recurrent: list[tuple[str, int]]) -> tuple[str, str]:
        """(kernel, reason) for recurrent layers given as (cell, width)."""
        both = 2 if self.source_steps else 1  # the encoder has a mask and the decoder has none: two programs
        how = [cell for cell, _ in recurrent], self.gpus, self.work, both * self.sizes, self.asked
        return kernel_again(self.begun, *how) if self.begun else kernel(*how)

    def stack(
        self,
        recurrent: list[tuple[str, int]],
        dropout: float,
        starts: Sequence[dict[str, Any]] = (),
        residual: bool = False,
        bidirectional: bool = False,
    ) -> keras.Model:
        """The model of recurrent layers given as (cell, width); `starts` as `Recipe.starts` gives them."""
        first, *made = self._input()
        kernel_name, _ = self.kernel(recurrent)
        arguments = starts or [{}] * len(recurrent)
        for number, ((cell, width), start) in enumerate(zip(recurrent, arguments, strict=True), start=1):
            last, name = number == len(recurrent), f"{cell}_{number}"
            layer = known_cells.load(cell).layer(width, self.per_step or not last, name, kernel_name, **start)
            layer.return_state = residual and not (self.per_step or last)
            made.append(keras.layers.Bidirectional(layer, name=name) if bidirectional else layer)
            if number == 1 and (self.tokens is None or self.one_hot):
                reads_data(made[-1])
            if dropout and not last:
                made.append(keras.layers.Dropout(dropout, name=f"dropout_{number}"))
        made.append(keras.layers.Dense(self.outputs, name="head"))
        return keras.Model(first, add_up(first, made)) if residual else keras.Sequential([first, *made])

    def halves(
        self, recurrent: list[tuple[str, int]], dropout: float, starts: Sequence[dict[str, Any]], attention: str
    ) -> keras.Model:
        """The encoder and the decoder of recurrent layers given as (cell, width); see encoder_decoder.py."""
        kernel_name, _ = self.kernel(recurrent)
        made: dict[str, list[Any]] = {halves.ENCODER: [], halves.DECODER: []}
        for half, own in made.items():
            for number, ((cell, width), start) in enumerate(zip(recurrent, starts, strict=True), start=1):
                layer = known_cells.load(cell).layer(width, True, f"{half}{number}", kernel_name, **start)
                layer.return_state = True
                own.append(layer)
        sizes = self.source_steps or 0, self.tokens or 0, self.outputs
        spread = self.embedding_spread or encoder_decoder.SPREAD
        return encoder_decoder.model(*sizes, made[halves.ENCODER], made[halves.DECODER], dropout, attention, spread)

    def _input(self) -> list[Any]:
        """The input, and the layer that masks or embeds it where there is one."""
        masked = self.padding is not None
        if self.tokens is None:
            mask = [keras.layers.Masking(self.padding, name="mask")] if masked else []
            return [keras.Input((None, self.features)), *mask]
        size, options = min(EMBEDDING, self.tokens), {"mask_zero": masked, "name": "embedding"}
        if self.one_hot:
            size, options = self.tokens, {"embeddings_initializer": "identity", "trainable": False, **options}
        elif self.embedding_spread is not None:
            options["embeddings_initializer"] = keras.initializers.RandomNormal(stddev=self.embedding_spread)
        return [keras.Input((None,), dtype="int32"), keras.layers.Embedding(self.tokens, size, **options)]


def _check_data(
    features: int | None, tokens: int | None, padding: float | None, loss: str, decay_steps: int | None
) -> None:
    if (features is None) == (tokens is None):
        raise SpaceError(f"features, tokens: expected one of the two, got {features} and {tokens}")
    if tokens is not None and padding not in (None, 0):
        raise SpaceError(f"padding: expected 0 for tokens, got {padding}")
    if loss not in LOSSES:
        raise SpaceError(f"loss: expected one of {', '.join(LOSSES)}, got {loss!r}")
    if decay_steps is not None and decay_steps < 1:
        raise SpaceError(f"decay_steps: expected a whole number from 1, got {decay_steps}")


def _check_spread(spread: float | None, embeds: bool) -> None:
    if spread is not None and not (embeds and spread > 0):
        raise SpaceError(f"embedding_spread: expected a number above 0 with embedded tokens, got {spread}")


def _check_halves(
    source_steps: int | None,
    tokens: int | None,
    one_hot: bool,
    per_step: bool,
    attention: Sequence[str],
    recipe: Recipe,
) -> None:
    if per_step and tuple(recipe.bidirectional) != NO:
        raise SpaceError("bidirectional: expected 0 with an output at every step, which must not see what follows")
    check_words("attention", attention, halves.ATTENTIONS)
    if source_steps is None:
        if tuple(attention) != NONE:
            raise SpaceError(f"attention: expected none without source_steps, got {','.join(attention)!r}")
        return
    if source_steps < 1 or tokens is None or one_hot or not per_step:
        raise SpaceError("source_steps: expected a whole number from 1, with tokens, per_step and embeddings")
    for name, values in (("residual", recipe.residual), ("bidirectional", recipe.bidirectional)):
        if tuple(values) != NO:
            raise SpaceError(f"{name}: expected 0 with source_steps, got {list(values)}")


def _check_dimensions(
    cells: Sequence[str] | None, depths: Whole, widths: Whole, learning_rate: Real, dropout: Real
) -> None:
    for name, values in (("depths", depths), ("widths", widths)):
        if not values or min(values) < 1:
            raise SpaceError(f"{name}: expected whole numbers from 1, got {list(values)}")
    if cells is not None:
        check_words("cells", cells, known_cells.names())
    check_real("learning_rate", learning_rate, all(rate > 0 for rate in learning_rate), "above 0")
    check_real("dropout", dropout, all(0 <= rate < 1 for rate in dropout), "from 0 and below 1")
