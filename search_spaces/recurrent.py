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
from search_spaces.architecture import layers, switched
from search_spaces.errors import SpaceError
from search_spaces.kernels import kernel
from search_spaces.recipe import NO, Recipe, inits
from search_spaces.residual import add_up
from search_spaces.values import Real, Whole, check_real, real, whole

EMBEDDING = 64  # features that a token is turned into; at most as many as there are tokens
LOSSES = {  # means over what is scored: class -1 is not, and does not count
    "mse": lambda: keras.losses.MeanSquaredError(),
    "categorical": lambda: keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1),
}
OPTIMIZERS = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
NO_DROPOUT = [0.0]
PLAIN = Recipe()


class RecurrentSpace(keras_tuner.HyperModel):
    """Models with recurrent layers and a linear head, every one fit for cuDNN's kernels.

    Args:
        outputs: size of the head; for the categorical loss the number of classes.
        loss: "mse" or "categorical" (logits against integer classes).
        features: input `(batch, time, features)` of floats; or
        tokens: input `(batch, time)` of integers below this, embedded.
        one_hot: tokens are read as one-hot vectors, without weights, instead of trained embeddings.
        padding: x behind the end of a sequence, 0 for tokens; the last step before it is read. Only ever at the end,
            as cuDNN's kernels need it.
        per_step: an output at every step `(batch, time, outputs)` instead of at the last `(batch, outputs)`.
        cells: cells to choose from, all by default.
        depths: numbers of recurrent layers.
        widths: units of a layer.
        mixed: each layer has a cell and a width of its own.
        learning_rate, dropout: a list of values, or the two ends of an interval (the rate is drawn on a log scale).
            Dropout lies between recurrent layers, hence from depth 2.
        decay_steps: training steps over which the learning rate falls to zero, along half a cosine wave (Loshchilov &
            Hutter 2017, arXiv:1608.03983); constant by default.
        recipe: initialisations, biases, clipping, optimisers, residual connections, reading from both ends; see there.
        gpus, work, sizes: decide which kernel computes the recurrent layers; see `kernels.kernel`.

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
    ) -> None:
        super().__init__(name="recurrent")
        if (features is None) == (tokens is None):
            raise SpaceError(f"features, tokens: expected one of the two, got {features} and {tokens}")
        if tokens is not None and padding not in (None, 0):
            raise SpaceError(f"padding: expected 0 for tokens, got {padding}")
        if loss not in LOSSES:
            raise SpaceError(f"loss: expected one of {', '.join(LOSSES)}, got {loss!r}")
        for name, values in (("depths", depths), ("widths", widths)):
            if not values or min(values) < 1:
                raise SpaceError(f"{name}: expected whole numbers from 1, got {list(values)}")
        if cells is not None and not cells:
            raise SpaceError(f"cells: expected some of {', '.join(known_cells.names())}, got none")
        if decay_steps is not None and decay_steps < 1:
            raise SpaceError(f"decay_steps: expected a whole number from 1, got {decay_steps}")
        self.cells = [name for name in cells or known_cells.names() if known_cells.load(name)]
        for cell in self.cells:
            if not inits(cell, recipe.inits):
                raise SpaceError(f"recipe: expected an initialisation that {cell} knows, got {', '.join(recipe.inits)}")
        if per_step and tuple(recipe.bidirectional) != NO:
            raise SpaceError(
                "bidirectional: expected 0 with an output at every step, which must not see what follows it"
            )
        check_real("learning_rate", learning_rate, all(rate > 0 for rate in learning_rate), "above 0")
        check_real("dropout", dropout, all(0 <= rate < 1 for rate in dropout), "from 0 and below 1")
        self.outputs, self.loss, self.features, self.tokens, self.per_step = outputs, loss, features, tokens, per_step
        self.one_hot, self.padding = one_hot, padding
        self.depths, self.widths, self.mixed = depths, widths, mixed
        self.learning_rate, self.dropout, self.decay_steps = learning_rate, dropout, decay_steps
        self.recipe, self.gpus, self.work, self.sizes = recipe, gpus, work, sizes

    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        """Declares every name, those of the deepest model included, each layer under the depths that have it."""
        hp.Choice("depth", list(self.depths))
        if self.mixed:
            for layer in range(1, max(self.depths) + 1):
                with hp.conditional_scope("depth", [depth for depth in self.depths if depth >= layer]):
                    hp.Choice(f"cell_{layer}", self.cells)
                    whole(hp, f"width_{layer}", self.widths)
                    self.recipe.declare_starts(hp, self.cells, f"_{layer}")
        else:
            hp.Choice("cell", self.cells)
            whole(hp, "width", self.widths)
            self.recipe.declare_starts(hp, self.cells)
        real(hp, "learning_rate", self.learning_rate, "log")
        if max(self.depths) > 1:
            with hp.conditional_scope("depth", [depth for depth in self.depths if depth > 1]):
                real(hp, "dropout", self.dropout, "linear")
        self.recipe.declare(hp, self.depths)

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """A compiled model with free batch and time; `hp` needs no names declared before."""
        self.declare_hyperparameters(hp)
        values = hp.values
        on, dropout, starts = switched(values), values.get("dropout", 0.0), self.recipe.starts(values)
        model = self.stack(layers(values), dropout, starts, "residual" in on, "bidirectional" in on)
        rate = hp.get("learning_rate")
        schedule = keras.optimizers.schedules.CosineDecay(rate, self.decay_steps) if self.decay_steps else rate
        clip = values.get("clip", 1.0) or None
        optimizer = OPTIMIZERS[values.get("optimizer", "adam")](schedule, global_clipnorm=clip)
        model.compile(optimizer, LOSSES[self.loss]())
        return model

    def kernel(self, recurrent: list[tuple[str, int]]) -> tuple[str, str]:
        """(kernel, reason) for recurrent layers given as (cell, width)."""
        return kernel([cell for cell, _ in recurrent], self.gpus, self.work, self.sizes)

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
        given, (how, _) = starts or [{}] * len(recurrent), self.kernel(recurrent)
        for number, ((cell, width), start) in enumerate(zip(recurrent, given, strict=True), start=1):
            last, name = number == len(recurrent), f"{cell}_{number}"
            layer = known_cells.load(cell).layer(width, self.per_step or not last, name, how, **start)
            layer.return_state = residual and not (self.per_step or last)
            made.append(keras.layers.Bidirectional(layer, name=name) if bidirectional else layer)
            if dropout and not last:
                made.append(keras.layers.Dropout(dropout, name=f"dropout_{number}"))
        made.append(keras.layers.Dense(self.outputs, name="head"))
        return keras.Model(first, add_up(first, made)) if residual else keras.Sequential([first, *made])

    def _input(self) -> list[Any]:
        masked = self.padding is not None
        if self.tokens is None:
            mask = [keras.layers.Masking(self.padding, name="mask")] if masked else []
            return [keras.Input((None, self.features)), *mask]
        size, how = min(EMBEDDING, self.tokens), {"mask_zero": masked, "name": "embedding"}
        if self.one_hot:
            size, how = self.tokens, {"embeddings_initializer": "identity", "trainable": False, **how}
        return [keras.Input((None,), dtype="int32"), keras.layers.Embedding(self.tokens, size, **how)]
