"""Lets a launcher react to Ctrl-C, SIGTERM and a closed terminal."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # not every system has all of them


@contextmanager
def signals(hear: Callable[[], None]) -> Iterator[None]:
    """Calls `hear` for every signal of NAMES, and restores the earlier handlers at the end.

    A signal that this process was started to ignore, for example under nohup, stays ignored.
    """

    def handle(signum: int, frame: Any) -> None:
        hear()

    known = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    heard = [signum for signum in known if signal.getsignal(signum) is not signal.SIG_IGN]
    before = {signum: signal.signal(signum, handle) for signum in heard}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
