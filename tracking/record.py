"""Keeps MLflow up to date with a running search, in a thread of the launcher."""

import shlex
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from tracking.errors import RecurrentError, SearchStateError, Unreachable
from tracking.journal import now
from tracking.runs import Projection
from tracking.store import database, in_a_line, locked, tune, uri_arguments
from tracking.tags import PREFIX

EVERY_SECONDS = 2.0  # between two looks at the journals
HOLD_SECONDS = 10.0  # time that epochs may wait to be sent together; a call costs nearly as much for one as for many
RETRY_SECONDS = 2.0  # pause before a store that did not answer is asked again
SERVER_SECONDS = 15.0  # longest wait for a server, at the beginning and at the end
FILE_SECONDS = 60.0  # the same for a file that another process writes; that process will soon be done
PATIENT_SECONDS = 3.0  # wait after which the user is told about it
LOOK_SECONDS = 0.05  # between two looks at what the thread has reached
TUNE_AFTER = 100  # new trials after which the database's statistics are made again
FAILURES = (MlflowException, SQLAlchemyError, OSError, Unreachable)


class Record:
    """A search's runs in MLflow. A thread opens them, and brings them to what the journals say every two seconds.

    A store that does not answer costs the search nothing: `warn` is called once, and the journals wait. A store that
    refuses the search is not asked again.

    Args:
        uri: of the store.
        name: of the search.
        make: opens the search in the store. It is called until it succeeds. Unreachable, and every error that is no
            RecurrentError, means that the store has failed. Any other RecurrentError is a refusal.
        warn: shows a line to the user.
    """

    def __init__(self, uri: str, name: str, make: Callable[[], Projection], warn: Callable[[str], None]) -> None:
        self.uri, self.name, self.make, self.warn = uri, name, make, warn
        self.patience = FILE_SECONDS if database(uri) else SERVER_SECONDS  # longest wait for the store
        self.opened: Projection | None = None
        self.refusal: RecurrentError | None = None
        # The last failure of the store.
        self.failure: Exception = Unreachable(f"tracking-uri: expected an MLflow store, got {uri}: no answer yet")
        self.awaited = False  # `wait` runs, and will tell the user what has happened
        self.doubtful = False  # an attempt to open it has failed, and the store may have made a run without an answer
        self.reachable = True
        self.refused_trial = False  # MLflow has refused a trial
        self.tuned = 0  # number of trials when the database's statistics were last made
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    @property
    def projection(self) -> Projection:
        """Opens the record if it is not open yet. Raises what `make` raises."""
        return self.opened or self.open_now()

    def open_now(self) -> Projection:
        try:
            self.opened = self.make()
        except Exception:
            self.doubtful = True
            raise
        return self.opened

    def start(self) -> None:
        """Starts the thread, unless it has been started."""
        if self.thread.ident is None:
            self.thread.start()

    def wait(self, enough: Callable[[], bool]) -> None:
        """Starts the thread, and waits until the record is open, `enough()` is true or `patience` is over.

        If the record is not open then, the user is told, and the thread keeps asking. Raises the store's refusal.
        """
        self.awaited, began, said = True, time.monotonic(), False
        self.start()
        while self._undecided() and not enough() and (waited := time.monotonic() - began) < self.patience:
            if waited > PATIENT_SECONDS and not said:
                said = True
                self._say(f"waiting up to {self.patience:.0f} s for the tracking store {self.uri}")
            time.sleep(LOOK_SECONDS)
        self.awaited = False
        if self.refusal:
            raise self.refusal
        if self.opened is None:
            self.reachable = False  # the user is told here, so the thread does not say it again
            self._say(f"{in_a_line(self.failure)}; the search goes on without its store, which is asked again")

    def _undecided(self) -> bool:
        return self.opened is None and self.refusal is None and self.thread.is_alive()

    def _run(self) -> None:
        pause = 0.0
        while not self.ending.wait(pause) and self.refusal is None:
            self.reachable = self._look()
            pause = EVERY_SECONDS if self.reachable else RETRY_SECONDS

    def _look(self) -> bool:
        """Sends what is new; False if the store has failed. Whatever is raised, the thread lives on."""
        try:
            if self.opened is None:
                self._open()
            if self.opened is not None:
                self.opened.sync(hold=HOLD_SECONDS)
                self._say_dropped()
                self._tune()
        except Exception as error:
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
        """Says once that the store has failed. While `wait` runs, the thread leaves that to `wait`."""
        self.failure = error
        if self.reachable and not self.awaited:
            self._say(f"the tracking store failed: {in_a_line(error)}; it is asked again")

    def _say(self, text: str) -> None:
        """Tells the user. Printing fails if the terminal is closed, and that must not stop the thread."""
        with suppress(OSError, SystemExit):
            self.warn(text)

    def _try(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except FAILURES as error:
            self._complain(error)
            return False
        except RecurrentError as error:
            self._refuse(error)
            return False
        return True

    def _say_dropped(self) -> None:
        while self.opened and self.opened.dropped:
            self.refused_trial = True
            self._say(self.opened.dropped.pop())

    def _tune(self) -> None:
        file = database(self.uri)
        if file and len(self.projection.trials) >= self.tuned + TUNE_AFTER:
            self.tuned = len(self.projection.trials)
            tune(file)

    def finish(self, status: str, last: Callable[[], None] | None = None, stopped: str = "") -> bool:
        """Sends the rest, runs `last`, and ends the parent run. No worker may be alive.

        Returns False if that failed, or if MLflow has refused a trial.

        Args:
            status: of the parent run, MLflow's word.
            stopped: why the search has ended; "" keeps the reason that the record has.
        """
        self.ending.set()
        if self.thread.is_alive():
            self.thread.join()
        deadline, done = time.monotonic() + self.patience, False
        # A server may answer again, and another process may release the file. The call is repeated until
        # `patience` is over, so that the user need not repeat it.
        while not done:
            done = self._try(lambda: self._finish(status, last, stopped))
            if done or not self._may_help() or time.monotonic() > deadline:
                break
            self.reachable = False
            time.sleep(RETRY_SECONDS)
        if not done:
            sync = shlex.join(["recurrent", "sync", self.name, *uri_arguments(self.uri)])
            when = " once that is put right" if self.refusal else ""
            self._say(f"MLflow lacks the last results; `{sync}` sends them{when}")
        self._say_dropped()
        if file := database(self.uri):
            tune(file)
        return done and not self.refused_trial

    def _may_help(self) -> bool:
        """True if asking again may help: the store has not refused, and it is a server or a locked file."""
        return self.refusal is None and (database(self.uri) is None or locked(self.failure))

    def _finish(self, status: str, last: Callable[[], None] | None, stopped: str) -> None:
        if self.doubtful:
            # By now a slow server has done what it was asked for. Of two runs that it has made one is deleted here.
            self.open_now()
            self.doubtful = False
        projection = self.projection
        projection.sync(over=True)
        parent_id = projection.parent.info.run_id
        if stopped:
            projection.client.set_tag(parent_id, f"{PREFIX}stopped", stopped)
        try:
            if last:
                last()
        except (*FAILURES, RecurrentError):
            raise
        except Exception as error:  # a library for the server's files may be missing, or have no key to them
            raise SearchStateError(f"the best model: {type(error).__name__}: {in_a_line(error)}") from error
        finally:
            projection.client.set_terminated(parent_id, status, now())
