"""Keeps MLflow up to date with a running search, in a thread of the launcher."""

import threading
from collections.abc import Callable

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from tracking.journal import now
from tracking.runs import Projection
from tracking.store import database, tune

EVERY = 2.0  # seconds between two looks at the journals
AFTER_FAILURE = 15.0  # seconds until a store that did not answer is asked again
TUNE_AFTER = 100  # trials, after which the database's statistics are made anew


class Record:
    """A search's runs in MLflow, brought to the journals every two seconds.

    A store that does not answer costs the search nothing: `warn` is called once, the journals wait.
    """

    def __init__(
        self, uri: str, client: MlflowClient, parent: Run, projection: Projection, warn: Callable[[str], None]
    ):
        self.uri, self.client, self.parent, self.projection, self.warn = uri, client, parent, projection, warn
        self.over = threading.Event()
        self.reachable = True
        self.tuned = 0
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self.thread.start()

    def _run(self) -> None:
        while not self.over.wait(EVERY if self.reachable else AFTER_FAILURE):
            self.reachable = self._try(self.projection.sync)
            self._say_dropped()
            self._tune()

    def _try(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except (MlflowException, SQLAlchemyError, OSError) as error:
            if self.reachable:
                self.warn(f"the tracking store failed: {str(error).splitlines()[0][:120]}")
            return False
        return True

    def _say_dropped(self) -> None:
        while self.projection.dropped:
            self.warn(self.projection.dropped.pop())

    def _tune(self) -> None:
        file = database(self.uri)
        if file and len(self.projection.trials) >= self.tuned + TUNE_AFTER:
            self.tuned = len(self.projection.trials)
            tune(file)

    def finish(self, status: str, last: Callable[[], None] | None = None) -> bool:
        """Sends the rest when no worker lives any more, runs `last`, and ends the parent run; False if that failed."""
        self.over.set()
        self.thread.join()
        done = self._try(lambda: self._finish(status, last))
        if not done:
            self.warn("MLflow lacks the last results; the same command with --resume sends them")
        self._say_dropped()
        file = database(self.uri)
        if file:
            tune(file)
        return done

    def _finish(self, status: str, last: Callable[[], None] | None) -> None:
        self.projection.sync(over=True)
        try:
            if last:
                last()
        finally:
            self.client.set_terminated(self.parent.info.run_id, status, now())
