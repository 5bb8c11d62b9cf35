"""Recipes: how a candidate begins and is trained, beside its cell, depth and width; searchable as these are.

The initialisation depends on the cell, the bias on the initialisation, residual connections on the depth. Keras Tuner
drops a name that is used in two branches: each cell has names of its own, init_lstm and bias_lstm say, and in a mixed
space each layer, init_lstm_1 say.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from search_spaces.architecture import Values, bias, init, layers, suffix
from search_spaces.errors import SpaceError
from search_spaces.values import Real, check_real, real

if TYPE_CHECKING:
    import keras_tuner

KNOWN = ("default", "orthogonal", "identity", "chrono")  # initialisations, of which each cell knows some:
INITS = {
    "simple_rnn": ("default", "identity"),
    "lstm": ("default", "orthogonal", "identity", "chrono"),
    "gru": ("default", "orthogonal", "chrono"),
}
BIASED = ("lstm", "gru")  # have a gate that keeps
OPTIMIZERS = ("adam", "rmsprop")
NO = (0,)


def inits(cell: str, among: Sequence[str]) -> list[str]:
    """Those of `among` that the cell knows, in its order."""
    return [name for name in INITS.get(cell, ("default",)) if name in among]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """The values of each dimension; the defaults open none.

    Args:
        inits: initialisations, each for the cells that know it (see INITS). orthogonal is per gate, so is identity;
            SimpleRNN's identity is the IRNN; chrono needs `longest` and has biases of its own.
        biases: of LSTM's forget gate and of GRU's keep gate; None: Keras' 1 and 0.
        clips: the norm of all gradients together that is clipped to (Pascanu et al. 2013, arXiv:1211.5063); 0: none.
        optimizers: adam, rmsprop.
        residual: 1 adds to each layer's output, from the second on, its input; 0 does not.
        bidirectional: 1 reads every sequence from both ends.
        longest: steps that the longest dependency spans.

    Raises SpaceError for what it cannot use.
    """

    inits: Sequence[str] = ("default",)
    biases: Real | None = None
    clips: Real = dataclasses.field(default_factory=lambda: [1.0])
    optimizers: Sequence[str] = ("adam",)
    residual: Sequence[int] = NO
    bidirectional: Sequence[int] = NO
    longest: int | None = None

    def __post_init__(self) -> None:
        for field, names, among in (("inits", self.inits, KNOWN), ("optimizers", self.optimizers, OPTIMIZERS)):
            if not names or not set(names) <= set(among):
                raise SpaceError(f"{field}: expected some of {', '.join(among)}, got {', '.join(names) or 'none'}")
        for field, switch in (("residual", self.residual), ("bidirectional", self.bidirectional)):
            if not switch or not set(switch) <= {0, 1}:
                raise SpaceError(f"{field}: expected 0, 1 or both, got {list(switch)}")
        if self.biases is not None:
            check_real("biases", self.biases, all(value >= 0 for value in self.biases), "from 0")
        least = "from 0, an interval's above 0"
        fit = all(value >= 0 for value in self.clips) and not (isinstance(self.clips, tuple) and self.clips[0] == 0)
        check_real("clips", self.clips, fit, least)
        if "chrono" in self.inits and (self.longest is None or self.longest < 2):
            raise SpaceError(f"longest: expected a whole number from 2 for chrono, got {self.longest}")

    def declare(self, hp: "keras_tuner.HyperParameters", depths: Sequence[int]) -> None:
        """Declares what all cells have in common, as far as it is not as by default."""
        if list(self.optimizers) != ["adam"]:
            hp.Choice("optimizer", list(self.optimizers))
        if self.clips != [1.0]:
            real(hp, "clip", self.clips, "log")
        if tuple(self.bidirectional) != NO:
            hp.Choice("bidirectional", list(self.bidirectional))
        if tuple(self.residual) != NO and max(depths) > 1:
            with hp.conditional_scope("depth", [depth for depth in depths if depth > 1]):
                hp.Choice("residual", list(self.residual))

    def declare_starts(self, hp: "keras_tuner.HyperParameters", cells: Sequence[str], layer: str = "") -> None:
        """Declares initialisation and bias of the cells, each under the cell; `layer` is "_1", "_2", … if mixed."""
        for cell in cells:
            known = inits(cell, self.inits)
            with hp.conditional_scope(f"cell{layer}", [cell]):
                if known != ["default"]:
                    hp.Choice(f"init_{cell}{layer}", known)
                self._declare_bias(hp, cell, known, layer)

    def _declare_bias(self, hp: "keras_tuner.HyperParameters", cell: str, known: list[str], layer: str) -> None:
        without = [name for name in known if name != "chrono"]
        if self.biases is None or cell not in BIASED or not without:
            return
        if known == ["default"]:
            real(hp, f"bias_{cell}{layer}", self.biases, "linear")
            return
        with hp.conditional_scope(f"init_{cell}{layer}", without):
            real(hp, f"bias_{cell}{layer}", self.biases, "linear")

    def starts(self, values: Values) -> list[dict[str, Any]]:
        """Arguments of each layer's cell (see cells/__init__.py) at a point of the space; {} is Keras' default."""
        found = []
        for number, (cell, _) in enumerate(layers(values), start=1):
            layer = suffix(values, number)
            how, open_by = init(values, cell, layer), bias(values, cell, layer)
            start: dict[str, Any] = {} if how == "default" else {"init": how}
            start |= {"longest": self.longest} if how == "chrono" else {}
            found.append(start | ({} if open_by is None else {"bias": open_by}))
        return found
