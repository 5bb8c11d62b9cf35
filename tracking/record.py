"""Keeps MLflow up to date with a running search, in a thread of the launcher."""

import shlex
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from tracking.errors import Denied, RecurrentError, SearchStateError, Unreachable
from tracking.journal import now
from tracking.runs import Projection
from tracking.store import database, in_a_line, locked, tune, words

EVERY = 2.0  # seconds between two looks at the journals
HOLD = 10.0  # seconds that epochs may wait: a call costs nearly as much for one as for many
AFTER_FAILURE = 15.0  # seconds until a store that did not answer is asked again
AGAIN = 2.0  # seconds between two attempts at the beginning, and at the end
PATIENCE = 60.0  # seconds that a server which is away is asked again and again at the beginning, and at the end
TUNE_AFTER = 100  # trials, after which the database's statistics are made anew
LOOK = 0.05  # seconds between two looks at what the thread has reached
FAILURES = (MlflowException, SQLAlchemyError, OSError, Unreachable)


class Record:
    """A search's runs in MLflow, opened and then brought to the journals every two seconds by a thread.

    A store that does not answer costs the search nothing: `warn` is called once, the journals wait.

    Args:
        uri: of the store.
        name: of the search.
        make: opens the search in the store; called again until it does not fail. What it raises but for a store that
            fails is a refusal.
    """

    def __init__(self, uri: str, name: str, make: Callable[[], Projection], warn: Callable[[str], None]) -> None:
        self.uri, self.name, self.make, self.warn = uri, name, make, warn
        self.opened: Projection | None = None
        self.refusal: RecurrentError | None = None
        self.failure: Exception = Unreachable("not tried yet")  # the last one, which is no refusal
        self.over, self.tried = threading.Event(), threading.Event()
        self.opening = self.awaited = False
        self.doubtful = False  # the store may have made the search's run without saying so
        self.began = time.monotonic()
        self.reachable = True
        self.dropped = False
        self.tuned = 0
        self.thread = threading.Thread(target=self._run, daemon=True)

    @property
    def projection(self) -> Projection:
        """Raises what `make` raises if it is not open yet and cannot be opened now."""
        return self.opened or self.open_now()

    def open_now(self) -> Projection:
        self.opening = True
        try:
            self.opened = self.make()
        except Exception:
            self.doubtful = True
            raise
        finally:
            self.opening = False
        return self.opened

    def start(self) -> None:
        """Begins, unless it has begun."""
        if self.thread.ident is None:
            self.thread.start()

    def open(self, enough: Callable[[], bool]) -> bool:
        """Begins, and waits until it is open, or until `enough`; True if it is open.

        The thread goes on to try, also afterwards. Raises the store's refusal.
        """
        self.awaited = True
        self.start()
        while self.opened is None and self.refusal is None and self.thread.is_alive() and not enough():
            time.sleep(LOOK)
        self.awaited = False
        if self.refusal:
            raise self.refusal
        return self.opened is not None

    def in_vain(self) -> bool:
        """True if it has been denied, or tried for long enough; while an attempt lasts, the store answers."""
        over = isinstance(self.failure, Denied) or time.monotonic() > self.began + PATIENCE
        return self.tried.is_set() and not self.opening and over

    def _run(self) -> None:
        pause = 0.0
        while not self.over.wait(pause) and self.refusal is None:
            try:
                self.reachable = self._look()
            finally:
                self.tried.set()
            opening = self.opened is None and time.monotonic() < self.began + PATIENCE
            pause = EVERY if self.reachable else AGAIN if opening else AFTER_FAILURE

    def _look(self) -> bool:
        """Whatever is raised, the next look may go well: the thread lives as long as the search."""
        try:
            if self.opened is None:
                self._open()
            if self.opened is not None:
                self.opened.sync(hold=HOLD)
                self._say_dropped()
                self._tune()
        except Exception as error:
            self.failure = error
            self._complain(error)
            return False
        return True

    def _open(self) -> None:
        try:
            self.open_now()
        except Unreachable:
            raise
        except RecurrentError as error:
            self._refuse(error)

    def _refuse(self, error: RecurrentError) -> None:
        known, self.refusal = self.refusal, error
        if not self.awaited and str(error) != str(known):
            self._say(f"MLflow is not told all of this search: {error}")

    def _complain(self, error: Exception) -> None:
        if self.reachable:
            self._say(f"the tracking store failed: {in_a_line(error)}")

    def _say(self, text: str) -> None:
        """Nobody may be reading any more, of which Rich makes an end: that of this thread, or of what is being sent."""
        with suppress(OSError, SystemExit):
            self.warn(text)

    def _try(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except FAILURES as error:
            self.failure = error
            self._complain(error)
            return False
        except RecurrentError as error:
            self._refuse(error)
            return False
        return True

    def _say_dropped(self) -> None:
        while self.opened and self.opened.dropped:
            self.dropped = True
            self._say(self.opened.dropped.pop())

    def _tune(self) -> None:
        file = database(self.uri)
        if file and len(self.projection.trials) >= self.tuned + TUNE_AFTER:
            self.tuned = len(self.projection.trials)
            tune(file)

    def finish(self, status: str, last: Callable[[], None] | None = None, stopped: str = "") -> bool:
        """Sends the rest when no worker lives any more, runs `last`, and ends the parent run.

        Returns False if that failed, or if MLflow has refused a trial.

        Args:
            status: of the parent run, MLflow's word.
            stopped: why the search has ended; "" leaves what is there.
        """
        self.over.set()
        if self.thread.is_alive():
            self.thread.join()
        file, deadline = database(self.uri), time.monotonic() + PATIENCE
        done = self._try(lambda: self._finish(status, last, stopped))
        while not done and self._may_help() and time.monotonic() < deadline:
            self.reachable = False
            time.sleep(AGAIN)
            done = self._try(lambda: self._finish(status, last, stopped))
        if not done:
            sync = shlex.join(["recurrent", "sync", self.name, *words(self.uri)])
            when = " once that is put right" if self.refusal else ""
            self._say(f"MLflow lacks the last results; `{sync}` sends them{when}")
        self._say_dropped()
        if file:
            tune(file)
        return done and not self.dropped

    def _may_help(self) -> bool:
        """True if asking again may: of a server, or a file that somebody else writes, which has not refused."""
        return self.refusal is None and (database(self.uri) is None or locked(self.failure))

    def _finish(self, status: str, last: Callable[[], None] | None, stopped: str) -> None:
        if self.doubtful:  # by now a slow server has done what it was asked for: of two runs one goes
            self.open_now()
            self.doubtful = False
        projection = self.projection
        projection.sync(over=True)
        parent_id = projection.parent.info.run_id
        if stopped:
            projection.client.set_tag(parent_id, "stopped", stopped)
        try:
            if last:
                last()
        except (*FAILURES, RecurrentError):
            raise
        except Exception as error:  # of a library for the server's files, say, which is missing or has no key to them
            raise SearchStateError(f"the best model: {type(error).__name__}: {in_a_line(error)}") from error
        finally:
            projection.client.set_terminated(parent_id, status, now())
