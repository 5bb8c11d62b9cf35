"""Embedded Reber grammar: predict the next symbol of a string whose second last symbol repeats its second one.

    B T  B T X S E  T E      legal          B T  B P V V E  P E      illegal: T must come again

The inner grammar, from state 0: 0-B-1, 1-T-2 or P-3, 2-S-2 or X-4, 3-T-3 or V-5, 4-X-3 or S-6, 5-P-4 or V-6, 6-E. Both
ways out of a state are equally likely. B T ... T E or B P ... P E stands around it, `depth` times. A string is right if
at every step all legal successors are more active than all others. The score is the share of right strings. No memory:
0, since T is followed by B at the start of a string and by E at its end. A model that knows the place in the grammar,
but none of the symbols around it: 1/2 for each level.

Solved: every string right, a score of 1.
Published: Hochreiter & Schmidhuber 1997, 256 strings for training and 256 for test: LSTM without forget gate, 264 or
276 weights, learning rate 0.1 to 0.5, 97-100% of runs after 8,440 to 39,740 strings; Elman networks 0%.
Source: Hochreiter & Schmidhuber 1997, experiment 1.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import NOT_SCORED, Arrays, Task, option
from tracking.errors import BadInput

B, T, P, S, X, V, E = range(7)
SYMBOLS = np.array([[B, B], [T, P], [S, X], [T, V], [X, S], [P, V], [E, E]], np.int32)  # [state, way out]
NEXT = np.array([[1, 1], [2, 3], [2, 4], [3, 5], [3, 6], [4, 6], [7, 7]])  # 7 is the end
LEGAL = np.zeros((8, 7), bool)  # [state, symbol]
LEGAL[np.arange(7)[:, None], SYMBOLS] = True
INNER = 5  # symbols of the shortest inner string


@dataclass(frozen=True, kw_only=True)
class Reber(Task):
    """x int32 `(count, longest - 1)`: symbol + 1, padded with 0; y int32, the next symbol as 0 to 6, then -1."""

    metric: ClassVar[str] = "strings_right"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "depth"
    loss: ClassVar[str] = "categorical"
    per_step: ClassVar[bool] = True
    one_hot: ClassVar[bool] = True
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 10

    depth: int = option(1, "levels of embedding", 1)
    longest: int = option(40, "symbols of the longest string; a longer one is replaced", 9)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.longest < INNER + 4 * self.depth:
            raise BadInput(f"longest: expected at least {INNER + 4 * self.depth}, got {self.longest}")

    @property
    def tokens(self) -> int:
        return 8

    @property
    def outputs(self) -> int:
        return 7

    @property
    def steps(self) -> int:
        return self.longest - 1

    def sample(self, rng: np.random.Generator, count: int) -> Arrays:
        strings = np.full((count, self.longest), NOT_SCORED, np.int32)
        missing = np.arange(count)
        while len(missing):
            strings[missing], fits = self._strings(rng, len(missing))
            missing = missing[~fits]
        x, y = strings[:, :-1] + 1, strings[:, 1:]
        return np.where(y == NOT_SCORED, 0, x), y  # nothing follows the last symbol

    def _strings(self, rng: np.random.Generator, count: int) -> Arrays:
        """Strings `(count, longest)` filled up with -1, and whether each of them is whole `(count,)`."""
        around = rng.integers(T, P + 1, (count, self.depth), np.int32)
        strings = np.full((count, self.longest), NOT_SCORED, np.int32)
        strings[:, 0 : 2 * self.depth : 2], strings[:, 1 : 2 * self.depth : 2] = B, around
        state, ends = np.zeros(count, np.int64), np.zeros(count, np.int64)
        for place in range(2 * self.depth, self.longest - 2 * self.depth):
            inside = np.flatnonzero(state < 7)
            way = rng.integers(0, 2, len(inside))
            strings[inside, place], state[inside] = SYMBOLS[state[inside], way], NEXT[state[inside], way]
            ends[inside] = place + 1
        behind = ends[:, None] + np.arange(0, 2 * self.depth, 2)
        rows = np.arange(count)[:, None]
        strings[rows, behind], strings[rows, behind + 1] = around[:, ::-1], E
        return strings, state == 7

    def judge(self, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        legal, real = self.legal(y), y != NOT_SCORED
        weakest = np.where(legal, outputs, np.inf).min(axis=-1)
        right = weakest > np.where(legal, -np.inf, outputs).max(axis=-1)
        return (right | ~real).all(axis=1).astype(np.float64)

    def legal(self, y: np.ndarray) -> np.ndarray:
        """True for the symbols that may come next at each step `(count, steps, 7)`."""
        legal = np.zeros((*y.shape, 7), bool)
        rows, last = np.arange(len(y)), (y != NOT_SCORED).sum(axis=1) - 1
        state = np.zeros(len(y), np.int64)
        for step in range(y.shape[1]):  # y[:, step] stands at place step + 1 of the string
            level, second = divmod(step + 1, 2)
            if level < self.depth:
                legal[:, step, [T, P] if second else [B]] = True
                continue
            behind = step - (last - 2 * self.depth) - 1  # 0 or more behind the inner string
            inside, repeats, ends = behind < 0, (behind >= 0) & (behind % 2 == 0), (behind >= 0) & (behind % 2 == 1)
            legal[inside, step] = LEGAL[state[inside]]
            legal[ends, step, E] = True
            around = 2 * (self.depth - 1 - behind[repeats] // 2)  # y has the symbol of level i at place 2 i
            legal[repeats, step, y[rows[repeats], around]] = True
            way = (SYMBOLS[state % 7, 1] == y[:, step]).astype(np.int64)
            state = np.where(inside, NEXT[state % 7, way], state)
        return legal

    @property
    def solved(self) -> float:
        return 1.0

    def floors(self, split: str = "val") -> dict[str, float]:
        return {"no_memory": 0.0, "half_memory": 0.5**self.depth}

    def token_names(self) -> str:
        return "_BTPSXVE"

    def answer(self, label: int) -> str:
        return "BTPSXVE"[label]
