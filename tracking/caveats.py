"""What somebody must know before they believe the answer of a search: one plain sentence for each thing.

Which cell is best depends on the learning rate, on the ranges and on chance. So the answer says where only one learning
rate was tried, where a best value lies at the edge of its range (a better one may lie beyond), and where the difference
between cells is within the spread of seeds, or no spread is known. It also says which cells were still improving when
their training ended.
"""

import math
from collections import Counter
from typing import Any

from tracking.standing import ranked
from tracking.text import format_number, format_spread

Trial = dict[str, Any]

EDGE = 0.05  # of the length of a range of real numbers: a value so near to its end lies at the edge
WIDTH_STEP = 16  # between the widths of a range such as 16:128
FEWEST_LAYERS = 1  # a depth of 1 has nothing below it, so it is no edge
NAMES = {"learning_rate": "learning rate"}


def caveats(found: dict[str, Any]) -> list[str]:
    """The sentences, the weightiest first. No completed trial has none.

    Args:
        found: what `results` returns.
    """
    return [f"{clause[0].upper()}{clause[1:]}." for clause in clauses(found)]


def clauses(found: dict[str, Any]) -> list[str]:
    """The same, as parts of one sentence.

    Of the many combinations of cells of a mixed search only the uniform ones are named, and the best one.
    """
    best = best_by_cell(found)
    if not best:
        return []
    best = {cell: trial for place, (cell, trial) in enumerate(best.items()) if not place or "+" not in cell}
    trained = [*_untrained(found), *_hardly_trained(found, best)]
    return [*trained, *_seeds(found, best), *_rates(found, best), *_edges(found, best), *_improving(best)]


def best_by_cell(found: dict[str, Any]) -> dict[str, Trial]:
    """The best completed trial of each cell, by the cell's name, best first."""
    best: dict[str, Trial] = {}
    for trial in ranked(found):
        best.setdefault(cell_of(trial), trial)
    return best


def cell_of(trial: Trial) -> str:
    """The name of a trial's cell, "lstm+gru" for a model with both."""
    return str(trial["values"].get("cell", trial["architecture"]))


def winner(found: dict[str, Any]) -> Trial | None:
    """The trial that the search recommends: that of the finals if they have ended, else the one that is preferred."""
    finals = found.get("finals")
    name = finals["winner"] if finals and finals["complete"] else found["preferred"]
    return next((trial for trial in found["trials"] if trial["trial"] == name), None)


def listed(words: list[str]) -> str:
    """The words as a sentence has them: "a, b and c"."""
    return " and ".join([*filter(None, [", ".join(words[:-1])]), *words[-1:]])


def _untrained(found: dict[str, Any]) -> list[str]:
    missing = [cell["cell"] for cell in found["cells"] if not cell["completed"] and "+" not in cell["cell"]]
    return [f"no {' and no '.join(missing)} was trained to the end"] if missing else []


def _hardly_trained(found: dict[str, Any], best: dict[str, Trial]) -> list[str]:
    """The cells beside the winner's with a single trained candidate, since the others were pruned: it says little."""
    won = winner(found)
    first = cell_of(won) if won else ""
    few = [row["cell"] for row in found["cells"] if row["completed"] == 1 and row["pruned"] > 1]
    ended = [trial for trial in found["trials"] if trial["outcome"] and trial.get("continues") is None]
    candidates = Counter(map(cell_of, ended))
    single = [f"one of {candidates[cell]} {cell}" for cell in best if cell in few and cell != first]
    return [f"only {listed(single)} candidates {'were' if single[1:] else 'was'} trained to the end"] if single else []


def _seeds(found: dict[str, Any], best: dict[str, Trial]) -> list[str]:
    """What chance may have done. Finals say it of their candidates themselves."""
    finals = found.get("finals")
    if finals and finals["complete"]:
        unsure = [one["sentence"] for one in finals["comparisons"] if one["says"] != "better"]
        return [sentence.rstrip(".") for sentence in unsure]
    (cell, first), *others = best.items()
    if first["spread"] is None:
        chance = ", so the difference between cells may be chance" if others else ""
        return [f"no spread of seeds is known (one seed for each candidate){chance}"]
    return [clause for other, trial in others for clause in _difference(cell, first, other, trial)]


def _difference(cell: str, first: Trial, other: str, trial: Trial) -> list[str]:
    apart, spread = abs(trial["score"] - first["score"]), max(first["spread"], trial["spread"] or 0.0)
    if apart > spread:
        return []
    sizes = f"{format_number(apart, 2)}, is within the spread of seeds, {format_spread(spread)}"
    return [f"the difference between {cell} and {other}, {sizes}"]


def _rates(found: dict[str, Any], best: dict[str, Trial]) -> list[str]:
    """Where only one learning rate was tried: in the search, or for some cells."""
    tried: dict[str, set[float]] = {}
    for trial in found["trials"]:
        if trial["values"].get("learning_rate"):
            tried.setdefault(cell_of(trial), set()).add(trial["values"]["learning_rate"])
    rates = set().union(*tried.values())
    if len(rates) == 1:
        return [f"only one learning rate was tried, {format_number(min(rates))}"]
    single = [f"{cell} ({format_number(min(tried[cell]))})" for cell in best if len(tried.get(cell, ())) == 1]
    return [f"only one learning rate was tried for {listed(single)}"] if single else []


def _edges(found: dict[str, Any], best: dict[str, Trial]) -> list[str]:
    """Where the best learning rate of a cell, or the depth or width of the best model, lies at an edge."""
    ranges = found.get("ranges", {})
    rates = [
        f"{cell} ({format_number(trial['values']['learning_rate'])})"
        for cell, trial in best.items()
        if _at_edge("learning_rate", trial["values"].get("learning_rate"), ranges)
    ]
    chosen = (winner(found) or {"values": {}})["values"]
    names = [name for name in ("depth", "width", "dropout") if _at_edge(name, chosen.get(name), ranges)]
    sizes = [f"the best {name} ({format_number(chosen[name])})" for name in names]
    said = [f"the best learning rate of {listed(rates)} lies at the edge of its range"] if rates else []
    if len(sizes) > 1:
        return [*said, f"{listed(sizes)} lie at the edges of their ranges"]
    return [*said, *[f"{size} lies at the edge of its range" for size in sizes]]


def _improving(best: dict[str, Trial]) -> list[str]:
    """The cells whose best candidate was still getting better when its training ended."""
    ends = {cell: (trial.get("epoch"), trial.get("epochs")) for cell, trial in best.items()}
    cells = [cell for cell, (place, epochs) in ends.items() if place is not None and epochs and place + 1 >= epochs > 1]
    were = "were" if cells[1:] else "was"
    longer = (
        f"the best {listed(cells)} {were} still improving at the last epoch, so longer training may change the scores"
    )
    return [longer] if cells else []


def _at_edge(name: str, value: float | None, ranges: dict[str, str]) -> bool:
    """True if a better value may lie beyond the range that was searched.

    A single value is no range. No value lies below a dropout of 0 or a depth of 1.
    """
    text = ranges.get(name, "")
    if not value or not text or (name == "depth" and value <= FEWEST_LAYERS):
        return False
    if ":" not in text:
        tried = [float(part) for part in text.split(",")]
        return len(set(tried)) > 1 and value in (min(tried), max(tried))
    low, high = map(float, text.split(":"))
    if name in ("depth", "width"):
        step = WIDTH_STEP if name == "width" else 1
        return high >= low + step and (value == low or value + step > high)
    place = math.log(value / low) / math.log(high / low) if name == "learning_rate" else (value - low) / (high - low)
    return not EDGE < place < 1 - EDGE
