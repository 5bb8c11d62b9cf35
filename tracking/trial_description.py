"""What MLflow's page of a trial shows above everything else: the candidate, what its score is worth, its horizon."""

from tracking.candidates import Seen
from tracking.horizon import DEEPEST, LOST, MOMENTS
from tracking.journal import Event
from tracking.text import format_count, format_duration, format_half_life, format_number, metric_name
from tracking.values import horizons, short

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 24  # bars of a horizon


def trial_description(seen: Seen, end: Event, metric: str, verdict: str | None) -> str:
    """The text, in Markdown.

    Args:
        seen: the trial.
        end: its last event.
        metric: of the score.
        verdict: of the score, in words; None if there is none.
    """
    values = [f"{name.replace('_', ' ')} {short(value)}" for name, value in seen.values.items()]
    first = " ".join(filter(None, [_result(seen, end, metric, verdict), _costs(seen, end)]))
    return "\n\n".join(filter(None, [first, ", ".join(values), _horizon(end)]))


def _result(seen: Seen, end: Event, metric: str, verdict: str | None) -> str:
    name, epochs = metric_name(metric), f"{seen.epochs} epoch{'s' if seen.epochs != 1 else ''}"
    if seen.score is not None:
        worth = f": {verdict}" if verdict else ""
        return f"**{seen.architecture}** has {name} {format_number(seen.score)} on validation after {epochs}{worth}."
    why = f": {end['reason']}" if end.get("reason") else ""
    last = f", at {name} {format_number(seen.last)}" if seen.last is not None else ""
    return f"**{seen.architecture}**, {end['outcome']} after {epochs}{last}{why}."


def _costs(seen: Seen, end: Event) -> str:
    found = [f"{format_count(seen.parameters)} parameters"] if seen.parameters is not None else []
    found += [format_duration(end["seconds"])] if end.get("seconds") is not None else []
    found += [f"{seen.ms_per_step:.3g} ms per training step"] if seen.ms_per_step is not None else []
    return f"{', '.join(found)}." if found else ""


def _horizon(end: Event) -> str:
    """How much of the gradient is left at each lag, as bars."""
    found = dict(horizons(end))
    if not found:
        return ""
    curves = {moment: found[moment]["curve"] for moment in MOMENTS if moment in found}
    bottom = max(DEEPEST, min(LOST, *(min(curve["log10_gain"]) for curve in curves.values())))
    last = max(curve["lags"][-1] for curve in curves.values())
    lines = [f"Gradient that is left 0 to {last} steps back. █ is all of it, ▁ is 10^{bottom:.0f} of it or less:"]
    for moment, curve in curves.items():
        summary = found[moment]["summary"]
        known = "half_life_50" in summary  # an early version had other numbers
        half_life = f", half-life {format_half_life(summary, '', '_50')} steps" if known else ""
        lines.append(f"- `{_bars(curve['log10_gain'], bottom)}` {MOMENTS[moment][0]}{half_life}")
    return "\n".join([lines[0], "", *lines[1:]])


def _bars(gains: list[float], bottom: float) -> str:
    count = min(WIDTH, len(gains))
    chosen = [gains[round(place * (len(gains) - 1) / max(1, count - 1))] for place in range(count)]
    heights = [min(1.0, max(0.0, 1 - gain / bottom)) for gain in chosen]
    return "".join(BARS[round(height * (len(BARS) - 1))] for height in heights)
