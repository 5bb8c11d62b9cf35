"""How numbers, times and names are shown to people: one formatter for each kind, used by every table and message."""

from collections.abc import Iterable

METRIC_NAMES = {"bits_per_character": "bits/char", "bits_per_sequence": "bits/sequence", "mase": "MASE", "mse": "MSE"}
METRIC_NAMES |= {"mae": "MAE", "f1": "macro F1", "balanced_accuracy": "balanced accuracy"}
UNITS = ("", "k", "M", "G", "T")


def did_you_mean(got: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: "; did you mean 'lstm'?", or nothing if no known name is near."""
    from difflib import get_close_matches

    names = {name.casefold(): name for name in known}
    near = get_close_matches(got.casefold(), names, 1)
    return f"; did you mean {names[near[0]]!r}?" if near else ""


def format_number(value: float | None, digits: int = 4) -> str:
    """The number with so many significant digits; "-" for none."""
    return "-" if value is None else f"{value:.{digits}g}"


def format_spread(value: float | None) -> str:
    """A standard deviation with two significant digits; nothing for none."""
    return "" if value is None else f"{value:.2g}"


def format_count(value: int | None) -> str:
    """A whole number with commas, for example 1,812; "-" for none."""
    return "-" if value is None else f"{value:,}"


def format_amount(value: float | None) -> str:
    """Three significant digits and a unit, for example 8.77k; "-" for none."""
    if value is None:
        return "-"
    power = 0
    while abs(value) >= 999.5 and power < len(UNITS) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g}{UNITS[power]}"


def format_duration(seconds: float) -> str:
    """45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def format_range(low: float, high: float) -> str:
    """Two durations in seconds as whole numbers of one unit, for example 7 to 18 min."""
    size, unit = (1, "s") if high < 120 else (60, "min") if high < 7200 else (3600, "h")
    return f"{max(1, round(low / size))} to {max(2, round(high / size))} {unit}"


def format_memory(count: float) -> str:
    """Bytes as GiB, three significant digits, for example 0.5 GiB; whole ones from 1,000 on."""
    size = count / 2**30
    return f"{size:.3g} GiB" if size < 999.5 else f"{size:,.0f} GiB"


def format_half_life(horizon: dict[str, float], moment: str, over: str) -> str:
    """A half-life in steps; "none" for a gradient that does not shrink. The record then has the probe's length.

    Args:
        horizon: its numbers by their names.
        moment, over: what comes before and behind "half_life" in the name.
    """
    steps, rate = horizon[f"{moment}half_life{over}"], horizon[f"{moment}rate{over}"]
    return f"{steps:.3g}" if rate < 0 else "none"


def metric_name(metric: str) -> str:
    """A metric as a heading, for example bits/char for bits_per_character."""
    return METRIC_NAMES.get(metric, metric)


def floors_line(floors: dict[str, float]) -> str:
    """The floors with their names, in one line."""
    return ", ".join(f"{name.replace('_', ' ')} {format_number(value)}" for name, value in floors.items())


def marks_line(floors: dict[str, float], solved: float | None, direction: str) -> str:
    """The floors and the score that counts as solved: "no memory 0.125; solved: 0.99 or more"."""
    goal = f"solved: {format_number(solved)} or {'less' if direction == 'min' else 'more'}"
    return "; ".join([*filter(None, [floors_line(floors)]), *([] if solved is None else [goal])])
