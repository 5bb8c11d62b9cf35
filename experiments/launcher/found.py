"""What a search has found, for scripts and notebooks."""

import os
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.config.given import as_whole, by_arguments, option_text
from experiments.launcher.retrained import Retrained
from experiments.system.environment import environment
from experiments.system.imports import keras_kept
from tracking.text import format_number, metric_name

if TYPE_CHECKING:
    from pandas import DataFrame

ROWS = 12  # of the table that a notebook shows
FRAME_PIXELS = 800  # height of a report in a notebook


class Found(Retrained):
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
        trial: int | None = None,
        cell: str | None = None,
        max_parameters: int | None = None,
        prefer: str | None = None,
        task: str | os.PathLike[str] | None = None,
        options: Mapping[str, Any] | None = None,
        with_optimizer: bool = False,
        trust_task: bool = False,
        formats: str | Sequence[str] = "keras",
        length: int | None = None,
        quantize: str = "none",
        tolerance: float = 0.01,
        run: str | None = None,
    ) -> dict[str, Any]:
        """Writes a model as `model.keras` and `model.json`, reloaded, re-scored, and scored on the test split.

        Long because it describes its arguments.

        Args:
            to: a new folder, or an earlier export of this search, which is then replaced.
            trial: the number of the trial whose model is written; by default the best one.
            run: the id of the MLflow run whose model is written, or the name of a training, like "0003-20-weights".
            cell, max_parameters, prefer: the best model of a cell, with at most so many parameters, or by "small:2%".
            task, options: where the data are now, if not where the search had them.
            with_optimizer: keep the optimizer with its state, to train the model further.
            trust_task: run the code of a task that comes from a server.
            formats: "keras", "savedmodel", "onnx", "litert", some of them, or "all".
            length, quantize, tolerance: of LiteRT files; docs/deploy.md describes them.

        Returns what `model.json` holds; docs/model-json.md describes it. Raises errors of `experiments.errors`.
        """
        from experiments.launcher.export import choice_of, export_search, packing_of

        texts = {key: option_text(f"options {key}", value) for key, value in (options or {}).items()}
        place = "" if task is None else os.fspath(task)
        with by_arguments(), environment(), keras_kept():
            number = None if trial is None else as_whole("trial", trial, 0)
            most = None if max_parameters is None else as_whole("max_parameters", max_parameters)
            steps = None if length is None else as_whole("length", length)
            names = formats if isinstance(formats, str) else ",".join(formats)
            return export_search(
                self.name,
                self.uri,
                Path(to),
                warnings.warn,
                choice=choice_of(number, cell, most, prefer, run),
                packing=packing_of(names, steps, quantize, tolerance),
                task=place,
                options=texts,
                with_optimizer=with_optimizer,
                trust_task=trust_task,
            )

    def report(self, to: str | os.PathLike[str] | None = None) -> "Report":
        """The page of `recurrent report`, which a notebook shows. It is logged on the search's run, too.

        Args:
            to: a file for the page, which needs no network.

        Raises BadInput for a file that cannot be written, and StoreError.
        """
        from experiments.launcher.reporting import write_report

        with by_arguments(), environment():
            html, _ = write_report(
                self.name,
                self.uri,
                None if to is None else Path(to),
                None,
                lambda line: warnings.warn(line, stacklevel=4),
            )
        return Report(html)

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


class Report:
    """A page in HTML. A notebook shows it in a frame of its own, since it has styles and scripts.

    Args:
        html: the page.
    """

    def __init__(self, html: str) -> None:
        self.html = html

    def __repr__(self) -> str:
        return f"<report: a page of {len(self.html):,} characters>"

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{escape(self.html)}" width="100%" height="{FRAME_PIXELS}" frameborder="0"></iframe>'


def _row(trial: Mapping[str, Any]) -> dict[str, Any]:
    """A trial as a row of a table: the values of the space and the numbers of the horizon are columns of their own."""
    first = {key: trial[key] for key in ("trial", "architecture")}
    horizon = {f"horizon/{key}": value for key, value in trial["horizon"].items()}
    rest = {key: value for key, value in trial.items() if key not in ("values", "horizon")}
    return {**first, **trial["values"], **rest, **horizon}
