"""Recipes: how a candidate begins and is trained. Each dimension can be searched, like cell, depth and width.

The initialisation depends on the cell, the bias on the initialisation, residual connections on the depth. Keras Tuner
drops a name that is used in two branches. Each cell therefore has separate names, for example init_lstm and bias_lstm.
In a mixed space each layer has separate names, too, for example init_lstm_1.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from search_spaces import cells as known_cells
from search_spaces.architecture import Values, bias, init, layers, suffix
from search_spaces.errors import SpaceError, UnknownName
from search_spaces.values import Real, check_real, real

if TYPE_CHECKING:
    import keras_tuner

OPTIMIZERS = ("adam", "rmsprop")
CONTROLLERS = ("feed-forward", "lstm")  # of a cell with a memory
MEMORY = "128x20"  # rows and columns
NO = (0,)


def inits_of(cell: str, among: Sequence[str]) -> list[str]:
    """Those of `among` that the cell knows, in the cell's order."""
    return [name for name in known_cells.facts(cell).inits if name in among]


def check_inits(cells: Sequence[str], among: Sequence[str]) -> None:
    """Raises SpaceError for a cell that knows none of the initialisations `among`."""
    for cell in cells:
        if not inits_of(cell, among):
            known = ", ".join(known_cells.facts(cell).inits)
            raise SpaceError(f"inits: expected one of {known} for {cell}, got {','.join(among)!r}")


def check_words(argument: str, words: Sequence[str], known: Sequence[str]) -> None:
    """Raises SpaceError for no words, and for a word that is not known."""
    if not words:
        raise SpaceError(f"{argument}: expected some of {', '.join(known)}, got none")
    for word in words:
        if word not in known:
            raise UnknownName(argument, word, known)


def check_memory(cells: Sequence[str], depths: Sequence[int], mixed: bool, recipe: "Recipe", halves: bool) -> None:
    """Raises SpaceError for what a cell with a memory cannot be: one of several layers, or one that reads both ways."""
    for cell in known_cells.with_memory(cells):
        for name, got, expected in (
            ("depths", list(depths), [1]),
            ("mixed", mixed, False),
            ("residual", list(recipe.residual), [0]),
            ("bidirectional", list(recipe.bidirectional), [0]),
        ):
            if got != expected:
                shown = expected[0] if isinstance(expected, list) else "none"
                raise SpaceError(f"{name}: expected {shown} with {cell}, got {got}")
        if halves:
            raise SpaceError(f"cells: expected none with a memory for an encoder and a decoder, got {cell!r}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """The values of each dimension; by default each dimension has a single value, and nothing is searched.

    Args:
        inits: initialisations. Each is used for the cells that know it. orthogonal and identity are matrices of each
            gate. identity makes SimpleRNN the IRNN. chrono needs `longest` and sets the biases itself.
        biases: first biases of the keep gate, for the cells that have one; None leaves Keras' biases.
        clips: norms that all gradients together are clipped to (Pascanu et al. 2013, arXiv:1211.5063); 0 clips none.
        optimizers: adam, rmsprop.
        momenta: shares of the last step that RMSprop adds to the next one; Adam has none.
        memories: sizes of the memory, ROWSxCOLUMNS, for the cells that have one.
        controllers: feed-forward, lstm: what steers that memory.
        residual: with 1 each layer from the second on adds its input to its output; with 0 none does.
        bidirectional: 1 reads every sequence from both ends.
        longest: steps that the longest dependency spans.

    Raises SpaceError for a value that it cannot use.
    """

    inits: Sequence[str] = ("default",)
    biases: Real | None = None
    clips: Real = dataclasses.field(default_factory=lambda: [1.0])
    optimizers: Sequence[str] = ("adam",)
    momenta: Real = dataclasses.field(default_factory=lambda: [0.0])
    memories: Sequence[str] = (MEMORY,)
    controllers: Sequence[str] = CONTROLLERS[:1]
    residual: Sequence[int] = NO
    bidirectional: Sequence[int] = NO
    longest: int | None = None

    def __post_init__(self) -> None:
        check_words("inits", self.inits, known_cells.all_inits())
        check_words("optimizers", self.optimizers, OPTIMIZERS)
        check_words("controllers", self.controllers, CONTROLLERS)
        check_real("momenta", self.momenta, all(0 <= value < 1 for value in self.momenta), "from 0 and below 1")
        if self.momenta != [0.0] and "rmsprop" not in self.optimizers:
            raise SpaceError(f"momenta: expected 0 without the optimizer rmsprop, got {list(self.momenta)}")
        for text in self.memories or ("",):
            if not re.fullmatch(r"[1-9]\d{0,3}x[1-9]\d{0,3}", text, re.ASCII):
                raise SpaceError(f"memories: expected sizes like {MEMORY}, rows and columns, got {text!r}")
        for field, switch in (("residual", self.residual), ("bidirectional", self.bidirectional)):
            if not switch or not set(switch) <= {0, 1}:
                raise SpaceError(f"{field}: expected 0, 1 or both, got {list(switch)}")
        if self.biases is not None:
            check_real("biases", self.biases, all(value >= 0 for value in self.biases), "from 0")
        fit = all(value >= 0 for value in self.clips) and not (isinstance(self.clips, tuple) and self.clips[0] == 0)
        check_real("clips", self.clips, fit, "from 0, an interval's above 0")
        if "chrono" in self.inits and (self.longest is None or self.longest < 2):
            raise SpaceError(f"longest: expected a whole number from 2 for chrono, got {self.longest}")

    def declare(self, hp: "keras_tuner.HyperParameters", depths: Sequence[int]) -> None:
        """Declares the dimensions that all cells have in common; a dimension at its default value is left out."""
        if list(self.optimizers) != ["adam"]:
            hp.Choice("optimizer", list(self.optimizers))
        if self.momenta != [0.0]:
            with hp.conditional_scope("optimizer", ["rmsprop"]):
                real(hp, "momentum", self.momenta, "linear")
        if self.clips != [1.0]:
            real(hp, "clip", self.clips, "log")
        if tuple(self.bidirectional) != NO:
            hp.Choice("bidirectional", list(self.bidirectional))
        if tuple(self.residual) != NO and max(depths) > 1:
            with hp.conditional_scope("depth", [depth for depth in depths if depth > 1]):
                hp.Choice("residual", list(self.residual))

    def declare_starts(self, hp: "keras_tuner.HyperParameters", cells: Sequence[str], suffix: str = "") -> None:
        """Declares each cell's initialisation and bias under that cell; `suffix` is "_1", "_2", … in a mixed space."""
        for cell in cells:
            known = inits_of(cell, self.inits)
            with hp.conditional_scope(f"cell{suffix}", [cell]):
                if known != ["default"]:
                    hp.Choice(f"init_{cell}{suffix}", known)
                self._declare_bias(hp, cell, known, suffix)
                if known_cells.facts(cell).memory:
                    self._declare_memory(hp)

    def _declare_bias(self, hp: "keras_tuner.HyperParameters", cell: str, known: list[str], suffix: str) -> None:
        without = [name for name in known if name != "chrono"]
        if self.biases is None or not known_cells.facts(cell).keep_gate or not without:
            return
        if known == ["default"]:
            real(hp, f"bias_{cell}{suffix}", self.biases, "linear")
            return
        with hp.conditional_scope(f"init_{cell}{suffix}", without):
            real(hp, f"bias_{cell}{suffix}", self.biases, "linear")

    def _declare_memory(self, hp: "keras_tuner.HyperParameters") -> None:
        if tuple(self.memories) != (MEMORY,):
            hp.Choice("memory", list(self.memories))
        if tuple(self.controllers) != CONTROLLERS[:1]:
            hp.Choice("controller", list(self.controllers))

    def starts(self, values: Values) -> list[dict[str, Any]]:
        """The arguments `start` of each layer (see cells/__init__.py) at a point of the space; {} is Keras' default."""
        found = []
        for number, (cell, _) in enumerate(layers(values), start=1):
            end = suffix(values, number)
            name, first_bias = init(values, cell, end), bias(values, cell, end)
            start: dict[str, Any] = {} if name == "default" else {"init": name}
            start |= {"longest": self.longest} if name == "chrono" else {}
            if known_cells.facts(cell).memory:
                rows, columns = map(int, values.get("memory", MEMORY).split("x"))
                start |= {"rows": rows, "columns": columns, "controller": values.get("controller", CONTROLLERS[0])}
            found.append(start | ({} if first_bias is None else {"bias": first_bias}))
        return found
