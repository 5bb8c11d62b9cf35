"""Where the live table of a search is drawn: in a terminal, or below a cell of a notebook."""

import io
from typing import Any, Protocol

from rich.console import Console, RenderableType
from rich.live import Live

from experiments.system.console import in_notebook

NOTEBOOK_COLUMNS = 100
# The fonts of a notebook and of a terminal differ, so the columns of the table need a fixed width.
HTML = '<pre style="line-height: normal; font-family: monospace">{code}</pre>'


class Frame(Protocol):
    """What draws the table. Rich's `Live` is one."""

    def start(self) -> None: ...

    def update(self, renderable: RenderableType, *, refresh: bool) -> None: ...

    def stop(self) -> None: ...


def frame(console: Console) -> Frame | None:
    """The frame of a console; None for a file, and for a console that prints nothing."""
    if console.quiet:
        return None
    if in_notebook():
        return Cell()
    return Live(console=console, auto_refresh=False, transient=True) if console.is_interactive else None


class Cell:
    """Draws below a cell of a notebook. The last drawing stays, and a notebook that is saved has it.

    Rich's own `Live` needs the package ipywidgets there, and leaves nothing in a notebook that is saved.
    """

    def __init__(self) -> None:
        self.handle: Any = None

    def start(self) -> None:
        from IPython.display import display

        self.handle = display({"text/plain": ""}, raw=True, display_id=True)

    def update(self, renderable: RenderableType, *, refresh: bool) -> None:
        console = Console(file=io.StringIO(), record=True, width=NOTEBOOK_COLUMNS, force_jupyter=False)
        console.print(renderable)
        text = console.export_text(clear=False)
        html = console.export_html(code_format=HTML, inline_styles=True)
        self.handle.update({"text/plain": text, "text/html": html}, raw=True)

    def stop(self) -> None:
        """Leaves what was drawn last."""
