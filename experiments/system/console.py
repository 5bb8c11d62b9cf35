"""The terminal, or the file that stands in its place. Rich is imported inside, since it takes a tenth of a second."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


def console(quiet: bool = False) -> "Console":
    """The console for tables and messages. It prints names as they are, and draws live frames in a terminal alone.

    Args:
        quiet: print nothing.
    """
    from rich.console import Console

    # FORCE_COLOR makes a file a terminal for Rich. It may have colours then, but frames cannot be taken back in a file.
    live = None if sys.stdout.isatty() and not in_notebook() else False
    # In a notebook Rich would make each line an output of its own.
    return Console(highlight=False, markup=False, emoji=False, force_interactive=live, force_jupyter=False, quiet=quiet)


def in_notebook() -> bool:
    """True if this process is the kernel of a notebook."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def say(screen: "Console", text: "str | Text") -> None:
    """Prints a paragraph. A terminal gets it wrapped between words. In a file it stays one line, for scripts."""
    screen.print(text, soft_wrap=not screen.is_interactive)


@contextmanager
def waiting(screen: "Console", text: str) -> Iterator[Callable[[str], None]]:
    """Says in a terminal what is being waited for, until the end of the block. Yields what changes the text."""
    if not screen.is_interactive:
        yield lambda text: None
        return
    from rich.text import Text

    with screen.status(Text(text)) as status:
        yield lambda text: status.update(Text(text))
