"""The figure of the work: which worker ran which trial when."""

from typing import Any

from tracking.expected import reached
from tracking.report.chart import GREY, Chart, Panel, Series
from tracking.report.gather import Search, Trial
from tracking.text import format_duration, format_number

OUTCOMES: dict[str | None, str] = {
    "completed": "#2ca25f",
    "pruned": "#d9a441",
    "failed": "#c0504d",
    "interrupted": GREY,
    None: "#3b8bd9",
}
THICK = 14.0  # of a bar, in pixels


def timeline(search: Search) -> Chart | None:
    """A bar for each trial in the row of its worker. MLflow has the first start and the last end of a trial."""
    some = [trial for trial in search.trials if trial["begun"] is not None and trial["worker"] is not None]
    if not some:
        return None
    first = min(trial["begun"] for trial in some)
    last = max(trial["ended"] or trial["begun"] for trial in some)
    series = []
    for outcome, colour in OUTCOMES.items():
        own = [trial for trial in some if trial["outcome"] == outcome]
        if own:
            series.append(_bars(own, outcome or "running", colour, first, last))
    workers = 1 + max(trial["worker"] for trial in some)
    panel = Panel("minutes", "worker", series, y_range=(-0.6, workers - 0.4), whole_y=True)
    says = (
        f"{len(some)} trials on {workers} worker{'s' * (workers > 1)}, {format_duration(last - first)} from the first"
        " start to the last end. A gap is a pause, for example until --resume."
    )
    return Chart("timeline", "Timeline of the workers", says, [panel], height=130 + 40 * workers)


def _bars(trials: list[Trial], name: str, colour: str, first: float, last: float) -> Series:
    x: list[Any] = []
    y: list[Any] = []
    texts: list[str] = []
    for trial in trials:
        begun, ended = ((at - first) / 60 for at in (trial["begun"], trial["ended"] or last))
        words = f"{trial['trial']} {trial['architecture']}<br>{name}: {format_number(reached(trial))}"
        words += f"<br>{format_duration((ended - begun) * 60)}"
        x += [begun, ended, None]
        y += [trial["worker"], trial["worker"], None]
        texts += [words, words, ""]
    return Series(name, x, y, colour=colour, width=THICK, texts=texts)
