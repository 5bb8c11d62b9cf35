"""The horizons of a search's cells, read from MLflow, in one figure."""

from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from tracking.errors import BadInput
from tracking.figures import figure_for
from tracking.recording import ALL
from tracking.results import ranked, results
from tracking.searches import search_name
from tracking.text import format_half_life

SHORT = 50  # the lag at which plain cells are said to have lost the signal
LOST = -2  # log10 of the share of the first gain below which the signal counts as lost
DEEPEST = -10  # log10: lower gains are cut off
MOMENTS = {"init_": ("at first", "--", 0.7), "": ("trained", "-", 1.0)}  # prefix: words, line, opacity


def horizons(client: MlflowClient, parent: Run) -> list[dict[str, Any]]:
    """For each cell its best trial with a horizon, the best trial first.

    A trial has the names of `results`, and `curves`: the (lag, log10 gain) pairs of each moment. Raises BadInput if no
    trial has a horizon with its curves.
    """
    found = with_curves(client, ranked(results(client, parent)))
    if not found:
        name = search_name(parent)
        raise BadInput(f"NAME: expected a search with a measured horizon, got {name!r}, which has none")
    return found


def with_curves(client: MlflowClient, trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each cell the first trial with a horizon, with its `curves`, as `horizons` returns them; [] without any.

    A trial whose curves are not in MLflow is passed over.
    """
    found: dict[str, dict[str, Any]] = {}
    for trial in trials:
        if trial["horizon"] and trial["recorded"] == ALL:
            found.setdefault(trial["values"]["cell"], trial)
    for trial in found.values():
        trial["curves"] = {moment: _curve(client, trial["run_id"], moment) for moment in MOMENTS}
    return list(found.values())


def _curve(client: MlflowClient, run_id: str, moment: str) -> list[tuple[int, float]]:
    points = client.get_metric_history(run_id, f"horizon/{moment}log10_gain")
    return sorted((point.step, point.value) for point in points)


def draw(trials: list[dict[str, Any]], title: str, file: Path) -> None:
    """Writes the figure; the end of the file's name says its format. Raises BadInput for one that is not known."""
    figure = figure_for(file, "--to", "horizon", (9, 5))
    axes = figure.subplots()
    for number, trial in enumerate(trials):
        for moment, (words, style, alpha) in MOMENTS.items():
            lags, gains = zip(*trial["curves"][moment], strict=True)
            label = f"{trial['architecture']} {words}: half-life {format_half_life(trial['horizon'], moment, '_50')}"
            axes.plot(lags, gains, style, color=f"C{number}", alpha=alpha, linewidth=2, label=label)
    _finish_axes(axes, trials)
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=min(len(trials), 3), frameon=False, fontsize="small")
    figure.savefig(file)


def _finish_axes(axes: Any, trials: list[dict[str, Any]]) -> None:
    """Limits, marks and words of the axes."""
    asked = int(trials[0]["horizon"]["task_lag"])
    points = [point for trial in trials for curve in trial["curves"].values() for point in curve]
    right = min(max(lag for lag, _ in points), max(2 * SHORT, round(1.15 * asked)))
    seen = [gain for lag, gain in points if lag <= right]
    bottom, top = max(min(*seen, LOST - 0.5), DEEPEST), max(*seen, 0)
    axes.set(xlim=(0, right), ylim=(bottom, top + 0.1 * (top - bottom)))
    axes.axhline(LOST, color="grey", linewidth=0.8, linestyle=":")
    axes.text(right, LOST, "1% ", ha="right", va="bottom", color="grey")
    marks = {SHORT: f"{SHORT} steps", asked: f"the task's first step: {asked}"}
    for line, (lag, words) in enumerate(marks.items()):  # the second text stands lower, since both lags may be the same
        if lag <= right:
            axes.axvline(lag, color="grey", linewidth=0.8)
            side, where = "right" if lag > 0.6 * right else "left", axes.get_xaxis_transform()
            axes.text(lag, 0.985 - 0.05 * line, f" {words} ", ha=side, va="top", color="grey", transform=where)
    axes.set(xlabel="lag in steps", ylabel="gain, log10 of G(lag) / G(0)")
    axes.grid(alpha=0.2)
