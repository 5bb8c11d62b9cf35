"""Journals of trials that nobody has trained, and a client of MLflow that answers at once and keeps next to nothing."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, Run, RunData, RunInfo, RunTag
from mlflow.store.entities.paged_list import PagedList

from tracking.children import child_tags
from tracking.recording import ALL, CURVES, LAST, most_curves
from tracking.values import batch

START = 1_700_000_000_000  # ms
CELLS = ("simple_rnn", "lstm", "gru")
LAGS = [*range(20), *(round(20 * 1.07**step) for step in range(40))]  # of a horizon, as many as a trial has


def score(number: int) -> float:
    """Of a trial, from 0.1 to 1.1, in an order that looks drawn at random and is always the same."""
    return 0.1 + (number * 0.6180339887498949) % 1


def events(number: int, epochs: int) -> list[dict[str, Any]]:
    """The journal of a trial that has completed, with what a trial of a search has by default."""
    cell, width, began = CELLS[number % 3], 16 + 16 * (number % 8), START + 1_000 * number
    values: dict[str, Any] = {"cell": cell, "depth": 1 + number % 3, "width": width, "learning_rate": 0.001}
    shown = {"architecture": f"{cell}-{width}", **values, "dropout": 0.0}
    about = {"attempt": 1, "session": "session", "worker": number % 2, "key": "k", "values": values}
    found = [{"event": "start", "time": began, **about, "parameters": shown}]
    costs = {"parameters": 100 * width, "flops_per_token": 1e4, "flops_per_step": 1e8}
    found += [{"event": "built", "time": began + 1, **costs, "kernel": "loop", "kernel_reason": "no GPU"}]
    for epoch in range(epochs):
        value = score(number) * (1 + 1 / (1 + epoch))
        norms = {f"gradient/{name}": value for name in ("norm_10pct", "norm_median", "norm_90pct", "clipped")}
        metrics = {"loss": value, "val_mse": value, **norms}
        found += [{"event": "epoch", "time": began + 10 + epoch, "execution": 0, "epoch": epoch, "metrics": metrics}]
    summary = dict.fromkeys(("rate", "rate_50", "half_life", "half_life_50", "plateau", "task"), -0.1)
    seen = {"summary": summary, "curve": {"lags": LAGS, "log10_gain": [-0.1 * lag for lag in LAGS]}}
    found += [{"event": "execution", "time": began + 900, "execution": 0, "score": score(number), "epoch": epochs - 1}]
    end = {"outcome": "completed", "score": score(number), "spread": None, "model_score": score(number)}
    end |= {"execution": 0, "epoch": epochs - 1, "seconds": 0.9, "ms_per_step": 2.5}
    return [*found, {"event": "end", "time": began + 901, **end, "horizon": {"lag": 99, "init": seen, "trained": seen}}]


def write(folder: Path, number: int, epochs: int) -> None:
    place = folder / f"{number:04d}"
    place.mkdir(parents=True)
    place.joinpath("journal.jsonl").write_text("".join(json.dumps(one) + "\n" for one in events(number, epochs)))


class Client:
    """Answers as a store that has the search and `known` trials of it, all completed.

    Args:
        epochs: of each trial.
        record: how the known trials were sent, as `--record` is typed.
    """

    tracking_uri = "http://stand-in"

    def __init__(self, parent: Run, known: int, epochs: int, record: str) -> None:
        self.parent, self.known, self.epochs, self.calls, self.points, self.made = parent, known, epochs, 0, 0, 0
        most = most_curves(record)
        self.whole = None if most is None else {*sorted(range(known), key=score)[: most + len(CELLS)]}

    def search_runs(self, ids: list[str], where: str, *_: Any, **named: Any) -> PagedList:
        """A page of the trials. Filters of an earlier version's tags find nothing."""
        self.calls += 1
        first, most = int(named.get("page_token") or 0), named.get("max_results", 1_000)
        count = self.known if "`recurrent.kind` = 'trial'" in where else 0
        last = min(count, first + most)
        return PagedList([self._run(number) for number in range(first, last)], str(last) if last < count else None)

    def _run(self, number: int) -> Run:
        lines = events(number, self.epochs)
        metrics, params, tags = batch(lines, lines[0]["time"], "mse")
        more = child_tags(self.parent, f"{number:04d}", f"{number:04d} gru") | {"recurrent.outcome": "completed"}
        if self.whole is not None:
            more[CURVES] = ALL if number in self.whole else LAST
        # A client gets the last value of each metric.
        shown = list({one.key: one for one in [*metrics, Metric("reached/mse", 0.0, 0, 0)]}.values())
        about = RunInfo(f"run{number}", "1", "us", "FINISHED", lines[0]["time"], lines[-1]["time"], "active")
        return Run(about, RunData(shown, params, [*tags, *(RunTag(*tag) for tag in more.items())]))

    def create_run(self, experiment_id: str, start_time: int, tags: dict[str, str]) -> Run:
        self.calls, self.made = self.calls + 1, self.made + 1
        about = RunInfo(f"new{self.made}", experiment_id, "us", "RUNNING", start_time, None, "active")
        return Run(about, RunData([], [], []))

    def get_run(self, run_id: str) -> Run:
        self.calls += 1
        about = RunInfo(run_id, "1", "us", "RUNNING", START, None, "active")
        return Run(about, RunData([Metric("best/mse", math.nan, 0, 0)], [], []))

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
    ) -> None:
        self.calls, self.points = self.calls + 1, self.points + len(metrics)

    def set_tag(self, *_: Any) -> None:
        self.calls += 1

    def set_terminated(self, *_: Any) -> None:
        self.calls += 1
