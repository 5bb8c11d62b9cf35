"""What a space of recurrent models declares.

This works without Keras. A search can thus say how large its space is before it imports Keras, which takes seconds.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from search_spaces.recipe import Recipe
from search_spaces.values import Real, Whole, real, whole

if TYPE_CHECKING:
    import keras_tuner

NONE = ("none",)  # of the attentions


def declare(
    hp: "keras_tuner.HyperParameters",
    cells: Sequence[str],
    depths: Whole,
    widths: Whole,
    mixed: bool,
    learning_rate: Real,
    dropout: Real,
    recipe: Recipe,
    attention: Sequence[str] = NONE,
) -> None:
    """Declares the dimensions of a space to `hp`; the arguments are those of `RecurrentSpace`.

    All names are declared, those of the deepest model too. A layer's names are active at the depths with this layer.
    """
    hp.Choice("depth", list(depths))
    if mixed:
        for layer in range(1, max(depths) + 1):
            with hp.conditional_scope("depth", [depth for depth in depths if depth >= layer]):
                _declare_layer(hp, cells, widths, recipe, f"_{layer}")
    else:
        _declare_layer(hp, cells, widths, recipe, "")
    real(hp, "learning_rate", learning_rate, "log")
    if max(depths) > 1:
        with hp.conditional_scope("depth", [depth for depth in depths if depth > 1]):
            real(hp, "dropout", dropout, "linear")
    recipe.declare(hp, depths)
    if tuple(attention) != NONE:
        hp.Choice("attention", list(attention))


def _declare_layer(
    hp: "keras_tuner.HyperParameters", cells: Sequence[str], widths: Whole, recipe: Recipe, suffix: str
) -> None:
    hp.Choice(f"cell{suffix}", list(cells))
    whole(hp, f"width{suffix}", widths)
    recipe.declare_starts(hp, cells, suffix)
