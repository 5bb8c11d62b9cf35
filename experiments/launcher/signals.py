"""Lets a launcher react to Ctrl-C, SIGTERM and a closed terminal."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # not every system has all of them


@contextmanager
def signals(hear: Callable[[], None]) -> Iterator[None]:
    """Calls `hear` for every signal of NAMES, and restores the earlier handlers at the end.

    A signal that this process was started to ignore, for example under nohup, stays ignored. Outside the main thread no
    signal is heard: Python calls handlers in the main thread, which does something else then.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

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
