"""Writes a report as a file, and among the artifacts of its search's run, where MLflow's UI shows it."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from tracking.errors import BadInput
from tracking.report import paper, study
from tracking.report.gather import Search, gather
from tracking.report.page import charts, page
from tracking.root import inside, resolved
from tracking.store import database
from tracking.views import write_search_views

NAME = "report.html"  # the artifact


class TooSlow(RuntimeError):
    """The report was not done in the time that it has."""


def within(seconds: float) -> Callable[[], None]:
    """A check that raises TooSlow when the time is over. Between two calls lies at most one question to the store."""
    deadline = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > deadline:
            raise TooSlow(f"more than {seconds:.0f} s")

    return check


def check_file(to: Path, flag: str = "--to") -> None:
    """Raises BadInput unless a file can be written there."""
    if to.is_dir():
        raise BadInput(f"{flag}: expected a file like report.html, got {str(to)!r}, which is a folder")
    if not to.absolute().parent.is_dir():
        raise BadInput(f"{flag}: expected a file in an existing folder, got {str(to)!r}")


def check_folder(to: Path, flag: str = "--figures") -> None:
    """Raises BadInput unless a folder is there or can be made there."""
    if to.exists() and not to.is_dir():
        raise BadInput(f"{flag}: expected a folder, got {str(to)!r}, which is a file")
    if not to.absolute().parent.is_dir():
        raise BadInput(f"{flag}: expected a folder in an existing folder, got {str(to)!r}")


def log_report(client: MlflowClient, parent: Run, html: str) -> bool:
    """Logs a page on the search's run. False if the run keeps its files outside of its store.

    Raises what MLflow and its libraries for files raise if the store takes no artifact.
    """
    file = database(client.tracking_uri)
    if file and not inside(file, parent.info.artifact_uri):
        return False
    place = resolved(file, parent.info.artifact_uri)
    with TemporaryDirectory() as folder:
        written = Path(folder) / NAME
        written.write_text(html, "utf-8")
        get_artifact_repository(place, tracking_uri=client.tracking_uri).log_artifact(str(written))
    return True


def publish(client: MlflowClient, parent: Run, seconds: float) -> bool:
    """Makes the report of a search and logs it on its run; returns whether it was logged.

    Raises TooSlow if that takes longer than `seconds`.
    """
    check = within(seconds)
    search = gather(client, parent, check)
    made_study = study.studied(search)
    order_columns(client, parent, search, made_study)
    html = page(search, check, made_study)
    check()
    return log_report(client, parent, html)


def order_columns(client: MlflowClient, parent: Run, search: Search, made_study: study.Studied | None) -> None:
    """Gives the search's view in MLflow a column and an axis for each value, the most important ones first."""
    if made_study:
        write_search_views(client, parent, search.found, [*_recorded(search, made_study.names)])


def _recorded(search: Search, names: Iterable[str]) -> Iterator[str]:
    """The names in MLflow, which has a value of each cell by itself: `bias_gru` and `bias_lstm` for `bias`.

    A chart of MLflow with a name that no trial has is empty.
    """
    known = search.reached[0]["values"]
    for name in names:
        yield from [name] if name in known else [key for key in known if key.startswith(f"{name}_")]


def draw_figures(search: Search, folder: Path, made_study: study.Studied | None = None) -> list[Path]:
    """Writes every figure of the report as PNG, SVG and PDF into a folder, which is made; returns the files."""
    folder.mkdir(exist_ok=True)
    made_study = made_study or study.studied(search)
    drawn = [chart for chart in charts(search, made_study).values() if chart]
    found = [file for chart in drawn for file in paper.draw(chart, folder)]
    if made_study and len(made_study.names) > 1:
        found += study.on_paper(made_study, folder)
    return found
