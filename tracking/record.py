"""Keeps MLflow up to date with a running search, in a thread of the launcher."""

import threading
import time
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
AGAIN = 2.0  # seconds between two of its last attempts
PATIENCE = 60.0  # seconds that a server which is away is asked again and again at the end
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

    def finish(self, status: str, last: Callable[[], None] | None = None, stopped: str = "") -> bool:
        """Sends the rest when no worker lives any more, runs `last`, and ends the parent run; False if that failed.

        Args:
            status: of the parent run, MLflow's word.
            stopped: why the search has ended; "" leaves what is there.
        """
        self.over.set()
        if self.thread.is_alive():
            self.thread.join()
        file, deadline = database(self.uri), time.monotonic() + PATIENCE
        done = self._try(lambda: self._finish(status, last, stopped))
        while not done and not file and time.monotonic() < deadline:
            self.reachable = False
            time.sleep(AGAIN)
            done = self._try(lambda: self._finish(status, last, stopped))
        if not done:
            name = self.parent.data.tags["search_id"]
            self.warn(f"MLflow lacks the last results; `recurrent sync {name}` sends them")
        self._say_dropped()
        if file:
            tune(file)
        return done

    def _finish(self, status: str, last: Callable[[], None] | None, stopped: str) -> None:
        self.projection.sync(over=True)
        if stopped:
            self.client.set_tag(self.parent.info.run_id, "stopped", stopped)
        try:
            if last:
                last()
        finally:
            self.client.set_terminated(self.parent.info.run_id, status, now())
