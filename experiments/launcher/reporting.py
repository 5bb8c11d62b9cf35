"""The report of a search, and what a search or its finals leave in MLflow at their end.

That is the description, and the report if it takes seconds. Nothing of it is ever at the cost of a search.
"""

import functools
import importlib
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from experiments.system.console import say, waiting
from experiments.system.resources import usable_cores
from tracking.errors import RecurrentError
from tracking.store import in_a_line

SECONDS = 5.0  # that a search may spend on its report
MOST_TRIALS = 100  # more take longer: 12 trials took 3.8 s of processor time, 100 took 4.9 s, 300 took 6.5 s
OFF = "RECURRENT_NO_REPORT"  # a variable of the environment: with any value a search writes no report
SLOW = ("optuna.importance", "optuna.visualization", "plotly.graph_objects", "plotly.subplots")  # to import


def write_report(
    name: str, uri: str, to: Path | None, figures: Path | None, warn: Callable[[str], None]
) -> tuple[str, list[Path]]:
    """Makes the page of a search, writes it, and logs it on the search's run.

    Args:
        name, uri: of the search and its store.
        to: a file for the page.
        figures: a folder for the figures as PNG, SVG and PDF.
        warn: is told if the store does not take the page.

    Returns the page and the files of the figures. Raises BadInput for places that cannot be written, and StoreError.
    """
    from tracking.report.gather import gather
    from tracking.report.page import page
    from tracking.report.publish import check_file, check_folder, draw_figures, log_report, order_columns
    from tracking.report.study import studied
    from tracking.searches import existing_search
    from tracking.store import working

    if to:
        check_file(to)
    if figures:
        check_folder(figures)
    client, parent = existing_search(name, uri)
    with working(uri):
        search = gather(client, parent)
    made_study = studied(search)
    html = page(search, made_study=made_study)
    if to:
        to.write_text(html, "utf-8")
    drawn = draw_figures(search, figures, made_study) if figures else []
    try:
        log_report(client, parent, html)
        order_columns(client, parent, search, made_study)
    except Exception as error:  # a store for files may raise any kind of error
        warn(f"MLflow did not take the report: {in_a_line(error)}")
    return html, drawn


def import_early(trials: int, left: int) -> None:
    """Imports what the report needs in a thread if a core is free, so that the search ends sooner.

    Args:
        trials: of the search.
        left: those that have not ended. If they are fewer than the cores, a core is free.
    """
    if trials <= MOST_TRIALS and left < usable_cores() and not os.environ.get(OFF):
        _import_in_a_thread()


@functools.cache  # once in a process
def _import_in_a_thread() -> threading.Thread:
    def work() -> None:
        for name in SLOW:
            with suppress(Exception):  # the report itself imports it again, and says what is wrong
                importlib.import_module(name)

    thread = threading.Thread(target=work)  # Python waits for it at its end: a library may not like to be cut off
    thread.start()
    return thread


def conclude(console: Console, name: str, uri: str) -> None:
    """Writes the description and the report of a search, and says in a line if that is not possible."""
    with waiting(console, "making the report ..."):
        wrong = report_at_end(name, uri)
    if wrong:
        say(console, Text(f"the report is not in MLflow: {wrong}", "yellow"))


def report_at_end(name: str, uri: str) -> str:
    """Describes a search on its run, and logs its report. Returns what went wrong in one line, "" if nothing did.

    It cannot hang: the time is looked at after each question to the store, and a store answers or fails in seconds.
    Nothing that goes wrong here may fail a search, so every error becomes that line.
    """
    try:
        return _publish(name, uri)
    except RecurrentError as error:
        return str(error)
    except Exception as error:  # a store's library for files, or a defect of the report
        return f"{type(error).__name__}: {in_a_line(error)}"


def _publish(name: str, uri: str) -> str:
    from tracking.description import describe
    from tracking.results import results
    from tracking.searches import existing_search
    from tracking.store import working
    from tracking.views import write_search_views

    client, parent = existing_search(name, uri)
    with working(uri):
        found = results(client, parent)
        describe(client, parent, found)
        write_search_views(client, parent, found)  # they say whether trials have failed
    if os.environ.get(OFF) or parent.data.metrics.get("trials/done", 0) > MOST_TRIALS:
        return ""
    _import_in_a_thread().join()
    from tracking.report.publish import TooSlow, publish

    try:
        with working(uri):
            publish(client, parent, SECONDS)
    except TooSlow:
        pass
    return ""
