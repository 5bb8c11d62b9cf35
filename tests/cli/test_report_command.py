"""`recurrent report` and `recurrent compare` on a real search, and what they refuse."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.reported import write_search
from support.searching import Recurrent

from tracking.searches import existing_search

SEARCH = "NAME: expected a search in sqlite:///{folder}/mlflow.db (old)"
FILE = "expected a file like report.html, got"
AWAY = "expected a file in an existing folder, got"


def artifacts(folder: Path, name: str) -> list[str]:
    client, parent = existing_search(name, f"sqlite:///{folder}/mlflow.db")
    return [one.path for one in client.list_artifacts(parent.info.run_id)]


def test_a_report(recurrent: Recurrent, old: Path) -> None:
    done = recurrent("report", "old", cwd=old)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "the report: old-report.html\n"
    text = (old / "old-report.html").read_text("utf-8")
    assert "<h1>old</h1>" in text and "not noted" in text  # the machine, which earlier versions did not note
    assert "report.html" in artifacts(old, "old")


def test_figures(recurrent: Recurrent, old: Path) -> None:
    done = recurrent("report", "old", "--to", "page.html", "--figures", "paper", cwd=old)
    assert (done.returncode, done.stderr) == (0, "")
    files = sorted((old / "paper").iterdir())
    assert done.stdout.endswith(f"the figures: {len(files)} files in paper/\n")
    assert {"learning.pdf", "learning.png", "learning.svg", "heat.pdf"} <= {file.name for file in files}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("report", "odl"),
            f"{SEARCH}, got 'odl'; did you mean 'old'?",
        ),
        (("report", "old", "--to", "gone/r.html"), f"--to: {AWAY} 'gone/r.html'"),
        (
            ("report", "old", "--to", "searches"),
            "--to: expected a file like report.html, got 'searches', which is a folder",
        ),
        (("report", "old", "--figures", "data.npz"), "--figures: expected a folder, got 'data.npz', which is a file"),
        (("report", "old", "--figures", "a/b"), "--figures: expected a folder in an existing folder, got 'a/b'"),
        (("compare", "old"), "NAME: expected two or more searches, got 'old'"),
        (("compare", "old", "old"), "NAME: expected two or more searches, got 'old old'"),
        (("compare", "old", "x"), f"{SEARCH}, got 'x'"),
        (
            ("compare", "old", "x", "--to", "gone/c.html"),
            f"--to: {AWAY} 'gone/c.html'",
        ),
    ],
    ids=" ".join,
)
def test_refusals(recurrent: Recurrent, old: Path, words: tuple[str, ...], said: str) -> None:
    done = recurrent(*words, cwd=old)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"recurrent {words[0]}: {said.format(folder=old)}\n"
    assert not list(old.glob("*.html"))


def test_a_store_that_takes_no_artifact_costs_a_line(recurrent: Recurrent, old: Path) -> None:
    """The run's files lie on a store whose library is not installed."""
    with closing(sqlite3.connect(old / "mlflow.db")) as database, database:
        database.execute("UPDATE runs SET artifact_uri = 'dbfs:/nowhere' WHERE name = 'old'")
    done = recurrent("report", "old", cwd=old)
    assert done.returncode == 0 and (old / "old-report.html").exists()
    assert done.stderr.startswith("recurrent report: MLflow did not take the report: ") or not done.stderr
    assert len(done.stderr.splitlines()) <= 1


def test_a_comparison(recurrent: Recurrent, tmp_path: Path) -> None:
    write_search(tmp_path, "one", 6)
    write_search(tmp_path, "two", 6, seed=3)
    done = recurrent("compare", "one", "two", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    wins, sure, last = done.stdout.splitlines()
    assert "has the best model" in wins and "cannot tell them apart" in sure and last == "the comparison: compare.html"
    assert "<h1>one · two</h1>" in (tmp_path / "compare.html").read_text("utf-8")
