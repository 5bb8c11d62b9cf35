"""Signals that a launcher hears, and those that it does not."""

import os
import signal
import threading
from collections.abc import Callable

import pytest

from experiments.launcher.signals import signals


def in_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_signals_are_heard_in_the_main_thread_and_handlers_come_back() -> None:
    heard: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    with signals(lambda: heard.append("once")):
        os.kill(os.getpid(), signal.SIGTERM)
    assert heard == ["once"] and signal.getsignal(signal.SIGTERM) is before


def test_a_thread_hears_none_and_leaves_the_handlers() -> None:
    """Python raises an error if another thread than the main one sets a handler."""
    done: list[bool] = []
    before = signal.getsignal(signal.SIGTERM)

    def work() -> None:
        with signals(lambda: pytest.fail("heard")):
            done.append(signal.getsignal(signal.SIGTERM) is before)

    in_thread(work)
    assert done == [True]
