"""Figures of the scores: by cell, depth and width; of a budget; so far."""

import math
from collections.abc import Callable

from tracking import expected
from tracking.expected import reached
from tracking.report.chart import GREY, Chart, Heat, Panel, Range, Series, colours, score_range
from tracking.report.gather import Search, Trial, cell_of
from tracking.text import format_number, metric_name

THREE, TWO = 5, 10  # columns of a heat map of which three or two stand beside each other


def floors(search: Search) -> dict[str, float]:
    """The floors and the score that counts as solved, by what is written beside their lines."""
    named = {name.replace("_", " "): value for name, value in search.found["floors"].items()}
    named |= {} if search.found.get("solved") is None else {"solved": search.found["solved"]}
    return {f"{name} {format_number(value)}": value for name, value in named.items()}


def axis(search: Search) -> Range:
    """The axis of scores that all figures of a search share."""
    values = [score for trial in search.reached if (score := reached(trial)) is not None]
    return score_range(values, list(floors(search).values()), search.minimum)


def label(search: Search) -> str:
    """The name of the axis of scores."""
    return f"validation {metric_name(search.found['metric'])} ({'smaller' if search.minimum else 'larger'} is better)"


def describe(trial: Trial) -> str:
    """A trial for a pointer that rests on it."""
    ending = f"<br>pruned: {trial['reason']}" if trial["outcome"] == "pruned" else ""
    return f"{trial['trial']} {trial['architecture']}<br>{format_number(reached(trial))}{ending}"


def heat(search: Search) -> Chart | None:
    """The best score by depth and width, a panel for each cell."""
    some = [trial for trial in search.reached if {"depth", "width"} <= trial["values"].keys()]
    if not some:
        return None
    place = _brightness(axis(search), search.minimum)
    columns = sorted({trial["values"]["width"] for trial in some})
    rows = sorted({trial["values"]["depth"] for trial in some})
    scores = [place(score) for trial in some if (score := reached(trial)) is not None]
    panels = []
    for cell in search.cells:
        own = [trial for trial in some if cell_of(trial) == cell]
        cells = [[_at(own, depth, width) for width in columns] for depth in rows]
        table = Heat(
            [str(width) for width in columns],
            [str(depth) for depth in rows],
            [[place(_best(one, search.minimum)) if one else None for one in row] for row in cells],
            [[_word(one, search.minimum) for one in row] for row in cells],
            [[_hover(one, search.minimum) for one in row] for row in cells],
            min(scores),
            max(scores),
        )
        panels.append(Panel("width", "depth", heat=table, title=f"{cell}: {len(own)} trials"))
    says = (
        "The best score of each cell, depth and width; brighter is better. A score in brackets is the last one of a"
        " pruned trial. Empty: not tried."
    )
    across = min(len(panels), 3 if len(columns) <= THREE else 2 if len(columns) <= TWO else 1)
    return Chart("heat", "Cell × depth × width", says, panels, across, 90 + 55 * len(rows))


def _brightness(shown: Range, minimum: bool) -> Callable[[float], float]:
    """Maps a score to its place on the axis, so that better ones are larger."""
    sign = -1 if minimum else 1
    low, high = shown.ends

    def place(score: float) -> float:
        kept = min(max(score, low), high)
        return sign * (math.log10(kept) if shown.log else kept)

    return place


def _at(trials: list[Trial], depth: int, width: int) -> list[Trial]:
    return [trial for trial in trials if (trial["values"]["depth"], trial["values"]["width"]) == (depth, width)]


def _best(trials: list[Trial], minimum: bool) -> float:
    scores = [score for trial in trials if (score := reached(trial)) is not None]
    return min(scores) if minimum else max(scores)


def _first(trials: list[Trial], minimum: bool) -> Trial:
    """The best trial; of equal ones a completed one."""
    best = _best(trials, minimum)
    same = [trial for trial in trials if reached(trial) == best]
    return min(same, key=lambda trial: trial["score"] is None)


def _word(trials: list[Trial], minimum: bool) -> str:
    if not trials:
        return ""
    first = _first(trials, minimum)
    number = format_number(reached(first), 3)
    return number if first["score"] is not None else f"({number})"


def _hover(trials: list[Trial], minimum: bool) -> str:
    if not trials:
        return "not tried"
    return f"{describe(_first(trials, minimum))}<br>best of {len(trials)}"


def budget(search: Search) -> Chart | None:
    """The expected best score of n trials of each cell, with its standard deviation."""
    drawn = expected.draws(search.trials)
    if not drawn:
        return None
    colour, shown = colours(search.cells), axis(search)
    curves = {cell: expected.curve(scores, search.found["direction"]) for cell, scores in sorted(drawn.items())}
    sign = 1 if search.minimum else -1
    best = {cell: sign * min(sign * score for score in scores) for cell, scores in drawn.items()}
    series = [
        Series(
            cell,
            [one.trials for one in found],
            [one.mean for one in found],
            low=[_within(one.mean - one.sd, best[cell], search, shown) for one in found],
            high=[_within(one.mean + one.sd, best[cell], search, shown) for one in found],
            colour=colour[cell],
            texts=[f"{cell}: {one.trials} trials<br>{one.mean:.4g} ± {one.sd:.2g}" for one in found],
        )
        for cell, found in curves.items()
    ]
    crossed = expected.crossings(curves, search.found["direction"])
    words = f"{'; '.join(crossed)}." if crossed else "No cell's curve crosses another's."
    says = (
        "The best score that one may expect of n trials of a cell, ± its standard deviation"
        f" ({expected.label(search.spec.get('oracle', ''), search.reached)}). {words[0].upper()}{words[1:]}"
    )
    panel = Panel("trials of the cell", label(search), series, whole_x=True, log_y=shown.log, y_range=shown.ends)
    return Chart("budget", "Expected best over budget", says, [_with_floors(panel, search)])


def _within(value: float, best: float, search: Search, shown: Range) -> float:
    """The end of a band: not beyond the best score that there is, and one that a logarithmic axis can show."""
    value = max(value, best) if search.minimum else min(value, best)
    return max(value, shown.ends[0]) if shown.log else value


def _with_floors(panel: Panel, search: Search) -> Panel:
    panel.lines.update(floors(search))
    return panel


def so_far(search: Search) -> Chart | None:
    """Every score, and the best so far, over trials and over time."""
    some = sorted(search.reached, key=lambda trial: trial["ended"] or 0)
    if not some:
        return None
    shown = axis(search)
    start = min((trial["begun"] for trial in some if trial["begun"]), default=search.begun)
    minutes = [((trial["ended"] or start) - start) / 60 for trial in some]
    panels = [
        _with_floors(
            Panel(words, label(search), _points_and_best(search, some, x), log_y=shown.log, y_range=shown.ends), search
        )
        for words, x in (("trials ended", list(map(float, range(1, len(some) + 1)))), ("minutes", minutes))
    ]
    says = (
        f"A point is a trial, a ring a pruned one; the line is the best score of a completed trial so far.{shown.note}"
    )
    return Chart("so_far", "Best so far", says, panels, columns=2)


def _points_and_best(search: Search, some: list[Trial], x: list[float]) -> list[Series]:
    best = [(at, trial["score"]) for at, trial in zip(x, some, strict=True) if trial["score"] is not None]
    line: list[float] = []
    for _, score in best:
        line.append(score if not line or (score < line[-1]) == search.minimum else line[-1])
    points = [points_of(search, cell, some, x, reached_of(some)) for cell in search.cells]
    if not best:
        return points
    ends = [*(at for at, _ in best), x[-1]]
    return [*points, Series("best so far", ends, [*line, line[-1]], "step", GREY, width=3)]


def reached_of(trials: list[Trial]) -> list[float | None]:
    """The score of each trial, or the last one of a pruned trial."""
    return [reached(trial) for trial in trials]


def points_of(search: Search, cell: str, trials: list[Trial], x: list[float], y: list[float | None]) -> Series:
    """The trials of one cell as points, the pruned ones as rings."""
    own = [place for place, trial in enumerate(trials) if cell_of(trial) == cell]
    return Series(
        cell,
        [x[place] for place in own],
        [y[place] for place in own],
        "points",
        colours(search.cells)[cell],
        texts=[describe(trials[place]) for place in own],
        hollow=[trials[place]["score"] is None for place in own],
        opacity=0.85,
    )
