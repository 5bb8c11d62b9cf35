"""What a search has found, for scripts and notebooks."""

import os
import warnings
from collections.abc import Mapping
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.config.given import by_arguments, option_text
from experiments.system.environment import environment
from experiments.system.imports import keras_kept
from tracking.text import format_number, metric_name

if TYPE_CHECKING:
    from pandas import DataFrame

ROWS = 12  # of the table that a notebook shows


class Found:
    """What a search has found. It is read from MLflow once; `open_search` reads it again.

    Args:
        name: of the search.
        uri: of the store, resolved.
    """

    def __init__(self, name: str, uri: str) -> None:
        self.name, self.uri = name, uri

    @cached_property
    def results(self) -> dict[str, Any]:
        """The object that `recurrent results NAME --json` prints; docs/results-json.md describes it."""
        from tracking.results import results
        from tracking.searches import existing_search
        from tracking.store import working

        with environment(), working(self.uri):
            return results(*existing_search(self.name, self.uri))

    @property
    def ranked(self) -> list[dict[str, Any]]:
        """The trials with a score, best first, each as in `results`."""
        from tracking.results import ranked

        return ranked(self.results)

    @property
    def best(self) -> dict[str, Any] | None:
        """The best trial, as in `results`; None if no trial has a score."""
        return next(iter(self.ranked), None)

    @property
    def answer(self) -> str:
        """The answer in three sentences, a line each: which model is best, what a smaller one costs, what is open."""
        from tracking.answer import answer

        return "\n".join(answer(self.results))

    @property
    def table(self) -> "DataFrame":
        """All trials, a row each: those with a score first, the best on top. A value of the space is a column."""
        from pandas import DataFrame

        scored = self.ranked
        others = [trial for trial in self.results["trials"] if trial not in scored]
        return DataFrame([_row(trial) for trial in (*scored, *others)])

    def export(
        self,
        to: str | os.PathLike[str],
        *,
        task: str | os.PathLike[str] | None = None,
        options: Mapping[str, Any] | None = None,
        with_optimizer: bool = False,
        trust_task: bool = False,
    ) -> dict[str, Any]:
        """Writes the best model as `model.keras` and `model.json`, reloaded, re-scored, and scored on the test split.

        Args:
            to: a new folder, or an earlier export of this search, which is then replaced.
            task, options: where the data are now, if not where the search had them.
            with_optimizer: keep the optimizer with its state, to train the model further.
            trust_task: run the code of a task that comes from a server.

        Returns what `model.json` holds; docs/model-json.md describes it. Raises errors of `experiments.errors`.
        """
        from experiments.launcher.export import export_search

        texts = {key: option_text(f"options {key}", value) for key, value in (options or {}).items()}
        place = "" if task is None else os.fspath(task)
        with by_arguments(), environment(), keras_kept():
            return export_search(
                self.name,
                self.uri,
                Path(to),
                warnings.warn,
                task=place,
                options=texts,
                with_optimizer=with_optimizer,
                trust_task=trust_task,
            )

    def __repr__(self) -> str:
        best, metric = self.best, metric_name(self.results["metric"])
        top = f"best {best['architecture']}, {metric} {format_number(best['score'])}" if best else "no score yet"
        return f"<search {self.name!r}: {self.results['task']}, {len(self.results['trials'])} trials, {top}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: a line about the search and its best trials."""
        columns = ["trial", "architecture", "score", "spread", "parameters", "learning_rate", "seconds", "outcome"]
        table = self.table
        shown = table[[name for name in columns if name in table]].head(ROWS).dropna(axis=1, how="all")
        return f"<p>{escape(repr(self))}</p>{shown.to_html(index=False, na_rep='', float_format=format_number)}"


def check_end(name: str, ended: str, sent: bool, again: str) -> None:
    """Raises KeyboardInterrupt after Ctrl-C, and warns of a record that lacks something.

    Args:
        name: of the search.
        ended: why it has ended.
        sent: the record has everything.
        again: how to go on.
    """
    if ended == "interrupted":
        raise KeyboardInterrupt(f"the search {name!r} has stopped; {again}")
    if not sent:
        warnings.warn(f"the record of {name!r} lacks something; `recurrent sync {name}` sends it", stacklevel=3)


def _row(trial: Mapping[str, Any]) -> dict[str, Any]:
    """A trial as a row of a table: the values of the space and the numbers of the horizon are columns of their own."""
    first = {key: trial[key] for key in ("trial", "architecture")}
    horizon = {f"horizon/{key}": value for key, value in trial["horizon"].items()}
    rest = {key: value for key, value in trial.items() if key not in ("values", "horizon")}
    return {**first, **trial["values"], **rest, **horizon}
