"""docs/tour.ipynb: what it shows is what a reader gets."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.searching import environment

TOUR = Path(__file__).parents[2] / "docs" / "tour.ipynb"
SECONDS = 240
# nbclient runs in a process of its own: its libraries warn, and warnings are errors in ours.
EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient

book = nbformat.read(sys.argv[1], 4)
for cell in book.cells:
    cell.pop("outputs", None)
    if cell.cell_type == "code":
        cell.outputs = []
NotebookClient(book, timeout=int(sys.argv[3])).execute()
nbformat.write(book, sys.argv[2])
"""


def code_cells(file: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(file.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def said(cell: dict[str, Any]) -> str:
    """All that a cell shows, as text without colours."""
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell["outputs"]]
    return re.sub(r"\x1b\[[\d;]*m", "", "".join("".join(text) for text in texts))


def check(cells: list[dict[str, Any]]) -> None:
    """What the page promises of each cell, whatever the scores are."""
    assert all(output["output_type"] != "error" for cell in cells for output in cell["outputs"])
    search, answer, found, scores, card, _, later, mistake = cells
    assert "tour: adding, lstm, gru; space: " in said(search) and "   6/6  000" in said(search)
    (table,) = [output for output in search["outputs"] if output["output_type"] == "display_data"]
    assert "6/6 trials" in "".join(table["data"]["text/html"]), "the live table has followed to the end"
    assert 2 <= len(said(answer).strip().splitlines()) <= 3
    assert "<search 'tour': adding, 6 trials, best " in said(found)
    assert all(word in said(scores) for word in ("count", "gru", "lstm", "no_memory", "0.16"))
    scored = {name: float(re.search(rf"'{name}': ([\d.e-]+)", said(card))[1]) for name in ("score", "rescored")}  # type: ignore[index]
    assert scored["score"] == pytest.approx(scored["rescored"], rel=1e-5) and "'test_score': " in said(card)
    assert said(later) == "(6, 8)"
    assert said(mistake).strip().endswith("got 'lsmt'; did you mean 'lstm'?")


def test_the_notebook_is_stored_with_its_outputs() -> None:
    cells = code_cells(TOUR)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    check(cells)


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, TOUR, "done.ipynb", str(SECONDS)],
        cwd=tmp_path,
        env=environment(tmp_path) | {"IPYTHONDIR": str(tmp_path / ".ipython")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    cells = code_cells(tmp_path / "done.ipynb")
    assert [cell["source"] for cell in cells] == [cell["source"] for cell in code_cells(TOUR)]
    check(cells)
