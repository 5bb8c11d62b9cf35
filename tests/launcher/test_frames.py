"""Where the live table is drawn: a terminal, a notebook, and nowhere else."""

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from rich.live import Live
from rich.text import Text

from experiments.launcher.frames import Cell, frame
from experiments.system.console import console, in_notebook


class Handle:
    """What IPython gives for an output that can change."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def update(self, data: dict[str, str], raw: bool) -> None:
        assert raw
        self.shown.append(data)


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch) -> Handle:
    """A notebook's output. This process becomes its kernel."""
    import IPython
    import IPython.display

    handle = Handle()
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr(IPython.display, "display", lambda *_, **more: handle)
    return handle


def test_a_cell_shows_text_and_html(handle: Handle) -> None:
    found: Any = frame(Console(file=io.StringIO()))
    assert isinstance(found, Cell)
    assert isinstance(frame(Console(file=io.StringIO(), force_terminal=True)), Cell), "colours make no terminal of it"
    found.start()
    found.update(Text("a <b> ", "red"), refresh=True)
    found.stop()
    (shown,) = handle.shown
    assert shown["text/plain"].strip() == "a <b>"
    assert "a &lt;b&gt;" in shown["text/html"] and "color: #800000" in shown["text/html"]
    assert not any(word in shown["text/html"] for word in ("<script", "<html", "http"))


def test_who_has_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(frame(Console(file=io.StringIO(), force_terminal=True)), Live)
    assert frame(Console(file=io.StringIO())) is None, "a file"
    assert frame(Console(file=io.StringIO(), force_terminal=True, quiet=True)) is None


def test_a_quiet_search_draws_nothing_in_a_notebook(handle: Handle) -> None:
    assert in_notebook() and frame(console(quiet=True)) is None and not handle.shown


def test_python_and_ipython_in_a_terminal_are_no_notebooks(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython

    assert not in_notebook()
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace())
    assert not in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()


def test_lines_of_a_notebook_are_plain_text() -> None:
    """Rich would make each line an output of its own."""
    assert not console().is_jupyter
