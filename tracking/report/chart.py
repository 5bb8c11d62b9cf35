"""What a figure shows, without saying how it is drawn: browser.py and paper.py draw the same one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tracking.text import format_amount

PALETTE = ("#3b8bd9", "#e07b39", "#2ca25f", "#a06cd5", "#d6609c", "#b8a01f", "#28a9b5", "#c0504d")
GREY = "#8a8f98"  # is seen on white and on black
MANY_TIMES = 20  # a range whose ends differ by this factor gets a logarithmic axis
USUAL = 0.95  # the share of the values that decides a range: one diverged trial would flatten all others
NEAR = 0.06  # share of an axis within which two labels would cover each other
SHORT_AXIS, LONG_AXIS = 1.5, 3.0  # decades from which on an axis has fewer marks
PLACES = ("right", "left", "center")


@dataclass(frozen=True)
class Series:
    """Points or a line of one colour.

    Args:
        name: in the legend; "" leaves it out.
        x, y: as many values each. None interrupts a line.
        kind: "line", "step" (the value holds until the next one), "points", or "bars" (horizontal, y has names).
        low, high: ends of a band around a line, or of an interval at each point.
        texts: what each point is, for a pointer that rests on it.
        hollow: for each point whether it is drawn as a ring, for example because its trial was pruned.
    """

    name: str
    x: Sequence[Any]
    y: Sequence[Any]
    kind: str = "line"
    colour: str = GREY
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    texts: Sequence[str] = ()
    hollow: Sequence[bool] = ()
    dash: str = "solid"
    width: float = 2.0
    opacity: float = 1.0


@dataclass(frozen=True)
class Heat:
    """A table of colours: `values[row][column]`, None where nothing is known. Larger values are brighter."""

    columns: Sequence[str]
    rows: Sequence[str]
    values: Sequence[Sequence[float | None]]
    words: Sequence[Sequence[str]]  # in each cell
    texts: Sequence[Sequence[str]]  # for a pointer that rests on it
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Args:
        lines: horizontal lines with their names, for example floors.
        marks: vertical lines with their names.
        x_names: what stands at some places of the axis in place of numbers.
        names: of parallel axes at x = 0, 1, …; the panel then has no axis of y.
        words: (x, y, text) beside the parallel axes.
        x_range, y_range: the lower and the upper end, in the values' own units.
        whole_x, whole_y: the axis counts, so only whole numbers stand on it.
    """

    x: str
    y: str
    series: list[Series] = field(default_factory=list)
    heat: Heat | None = None
    title: str = ""
    log_x: bool = False
    log_y: bool = False
    y_range: tuple[float, float] | None = None
    x_range: tuple[float, float] | None = None
    whole_x: bool = False
    whole_y: bool = False
    lines: dict[str, float] = field(default_factory=dict)
    marks: dict[str, float] = field(default_factory=dict)
    x_names: dict[float, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    words: list[tuple[float, float, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Chart:
    """A figure: its panels stand in rows of `columns`.

    Args:
        name: of its files.
        says: how to read it, in sentences.
        height: of a row of panels, in pixels.
    """

    name: str
    title: str
    says: str
    panels: list[Panel]
    columns: int = 1
    height: int = 380


def ends(panel: Panel, side: str) -> tuple[float, float] | None:
    """The ends of the axis x or y: those that are given, or those of the numbers on it. None if it has no numbers."""
    given = panel.x_range if side == "x" else panel.y_range
    if given:
        return given
    bands = [(series.y, series.low or (), series.high or ()) for series in panel.series]
    columns = [(series.x,) for series in panel.series] if side == "x" else bands
    values = [value for some in columns for column in some for value in column]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return (min(numbers), max(numbers)) if numbers else None


@dataclass(frozen=True)
class Range:
    """The axis of scores: its ends, whether it is logarithmic, and how many values lie outside."""

    ends: tuple[float, float]
    log: bool
    outside: int

    @property
    def note(self) -> str:
        points = "point lies" if self.outside == 1 else "points lie"
        return f" {self.outside} {points} outside." if self.outside else ""


def score_range(values: Sequence[float], floors: Sequence[float], minimum: bool) -> Range:
    """An axis that shows the best values, nearly all others, and the floors.

    Args:
        values: at least one; all are finite.
        minimum: small values are better.
    """
    ordered = sorted(values, reverse=not minimum)  # best first
    usual = ordered[min(len(ordered) - 1, math.ceil(USUAL * len(ordered)) - 1)]
    shown = [ordered[0], usual, *floors]
    low, high = min(shown), max(shown)
    log = minimum and low > 0 and high / low > MANY_TIMES
    if log:
        edge = (high / low) ** 0.05
        ends = (low / edge, high * edge)
    else:
        edge = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
        ends = (low - edge, high + edge)
    return Range(ends, log, sum(not ends[0] <= value <= ends[1] for value in values))


def logarithmic(values: Sequence[float]) -> bool:
    """Whether values need a logarithmic axis."""
    return bool(values) and min(values) > 0 and max(values) / min(values) > MANY_TIMES


def placed(panel: Panel) -> list[tuple[str, float, str]]:
    """(words, value, place) of each horizontal line. Labels that would cover each other get different places."""
    if not panel.lines:
        return []
    found: list[tuple[str, float, str]] = []
    low, high = panel.y_range or (min(panel.lines.values()), max(panel.lines.values()))
    if panel.log_y:
        low, high = math.log10(low), math.log10(high)
    taken = dict.fromkeys(PLACES, -math.inf)
    for words, value in sorted(panel.lines.items(), key=lambda line: line[1]):
        at = ((math.log10(value) if panel.log_y and value > 0 else value) - low) / ((high - low) or 1)
        free = [place for place in PLACES if at - taken[place] > NEAR]
        place = free[0] if free else min(PLACES, key=lambda place: taken[place])
        taken[place] = at
        found.append((words, value, place))
    return found


def ticks(low: float, high: float) -> list[float]:
    """The marks of a logarithmic axis: powers of ten, on a short axis also 3 times or 2 and 5 times them."""
    decades = math.log10(high / low)
    digits = (1, 2, 5) if decades < SHORT_AXIS else (1, 3) if decades < LONG_AXIS else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [digit * 10.0**power for power in powers for digit in digits]
    return [one for one in found if low * 0.999 <= one <= high * 1.001]


def tick_text(value: float) -> str:
    """A mark of an axis, for example 0.005 or 20k."""
    return format_amount(value) if abs(value) >= 1_000 else f"{value:.3g}"


def colours(cells: Sequence[str]) -> dict[str, str]:
    """A colour for each cell."""
    return {cell: PALETTE[number % len(PALETTE)] for number, cell in enumerate(cells)}
