"""The report at the end of a search: logged if that takes seconds, and no trouble of it fails a search."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console
from support.reported import found, uri_in, write_search

from experiments.launcher import reporting
from experiments.launcher.reporting import conclude, report_at_end, write_report
from tracking.report import publish


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(reporting.OFF)
    monkeypatch.setattr(reporting, "SECONDS", 300.0)  # a busy machine may take long
    write_search(tmp_path, "s", 4)
    return tmp_path


def artifacts(store: Path) -> list[str]:
    client, parent = found(store, "s")
    return [one.path for one in client.list_artifacts(parent.info.run_id)]


def test_it_is_logged(store: Path) -> None:
    assert report_at_end("s", uri_in(store)) == ""
    assert artifacts(store) == ["report.html"]


def test_a_variable_switches_it_off(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(reporting.OFF, "1")
    assert report_at_end("s", uri_in(store)) == ""
    assert artifacts(store) == []


def test_many_trials_have_none(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "MOST_TRIALS", 3)
    assert report_at_end("s", uri_in(store)) == ""
    assert artifacts(store) == []


def test_what_takes_too_long_ends_and_says_nothing(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "SECONDS", 0.0)
    began = time.monotonic()
    assert report_at_end("s", uri_in(store)) == ""
    assert time.monotonic() - began < 60
    assert artifacts(store) == []


def test_a_store_that_takes_no_artifact(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise PermissionError(13, "Permission denied", "/mlartifacts")

    monkeypatch.setattr(publish, "log_report", refuse)
    assert "Permission denied" in report_at_end("s", uri_in(store))


def test_a_search_that_is_gone(store: Path) -> None:
    assert report_at_end("gone", uri_in(store)).startswith("NAME: expected a search")
    assert report_at_end("s", f"sqlite:///{store}/other.db").startswith("tracking-uri: expected a record")


def test_what_went_wrong_is_said_in_a_line(store: Path) -> None:
    console = Console(file=(told := io.StringIO()), width=300)
    conclude(console, "gone", uri_in(store))
    assert told.getvalue().startswith("the report is not in MLflow: NAME: expected a search")
    conclude(console, "s", uri_in(store))
    assert told.getvalue().count("\n") == 1, "nothing is said of a report that is there"


def test_a_report_needs_no_file(store: Path) -> None:
    told: list[str] = []
    html, drawn = write_report("s", uri_in(store), None, None, told.append)
    assert html.startswith("<!") and (drawn, told) == ([], [])
    assert artifacts(store) == ["report.html"]


EARLY = """
import sys
from experiments.launcher import reporting
reporting.usable_cores = lambda: 2
reporting.import_early(10, 2)
reporting.import_early(reporting.MOST_TRIALS + 1, 1)
print("optuna.importance" in sys.modules)
reporting.import_early(10, 1)
reporting._import_in_a_thread().join()  # the same thread again
print(set(reporting.SLOW) <= set(sys.modules))
"""


@pytest.mark.parametrize(
    ("variables", "expected"), [({}, ["False", "True"]), ({reporting.OFF: "1"}, ["False", "False"])]
)
def test_what_it_needs_is_imported_when_a_core_is_free(variables: dict[str, str], expected: list[str]) -> None:
    kept = {name: value for name, value in os.environ.items() if name != reporting.OFF}
    code = EARLY if not variables else EARLY.replace("reporting._import_in_a_thread().join()", "")
    done = subprocess.run([sys.executable, "-c", code], env={**kept, **variables}, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, expected), done.stderr
