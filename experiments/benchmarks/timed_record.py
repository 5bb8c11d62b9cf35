"""A search's record that adds up the seconds it spends."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from tracking.record import Record
from tracking.runs import Projection

Spent = dict[str, float]  # seconds of "open", "flush" and "close"


@contextmanager
def timed(spent: Spent, name: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        spent[name] += time.perf_counter() - began


class TimedProjection:
    """A projection whose `sync` is timed; everything else is that of the projection inside."""

    def __init__(self, projection: Projection, spent: Spent) -> None:
        self.projection, self.spent = projection, spent

    def __getattr__(self, name: str) -> Any:
        return getattr(self.projection, name)

    def sync(self, *arguments: Any, **options: Any) -> None:
        with timed(self.spent, "flush"):
            self.projection.sync(*arguments, **options)


class TimedRecord(Record):
    """Times its own `wait` and `finish`, and the `sync` of its projection."""

    def __init__(
        self, spent: Spent, uri: str, name: str, make: Callable[[], Projection], warn: Callable[[str], None]
    ) -> None:
        super().__init__(uri, name, lambda: cast(Projection, TimedProjection(make(), spent)), warn)
        self.spent = spent

    def wait(self, enough: Callable[[], bool]) -> None:
        with timed(self.spent, "open"):
            super().wait(enough)

    def finish(self, status: str, last: Callable[[], None] | None = None, stopped: str = "") -> bool:
        with timed(self.spent, "close"):
            return super().finish(status, last, stopped)
