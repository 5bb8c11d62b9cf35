"""Keeps MLflow up to date with a running search, in a thread of the launcher."""

import shlex
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from tracking.errors import RecurrentError, SearchStateError, Unreachable, is_defect
from tracking.runs import Projection
from tracking.store import database, denied, in_a_line, locked, tune, uri_arguments

EVERY_SECONDS = 2.0  # between two looks at the journals
HOLD_SECONDS = 10.0  # time that epochs may wait to be sent together; a call costs nearly as much for one as for many
RETRY_SECONDS = 2.0  # pause before a store that did not answer is asked again
SERVER_SECONDS = 15.0  # longest wait for a server, at the beginning and at the end
FILE_SECONDS = 60.0  # the same for a file that another process writes; that process will soon be done
# Wait for a file after which the user is told about it. MLflow needs 4 to 10 seconds to make a new one while workers
# import TensorFlow.
PATIENT_SECONDS, NEW_FILE_SECONDS = 3.0, 20.0
LOOK_SECONDS = 0.05  # between two looks at what the thread has reached
# New trials after which the database's statistics are made again. Making them takes longer the more there are: 0.2 s at
# 10,000 trials. Statistics of 300 trials still serve 10,000.
TUNE_AFTER, TUNE_GROWTH = 100, 1.5
FAILURES = (MlflowException, SQLAlchemyError, OSError, Unreachable)


class State(Enum):
    """What the user knows of the store."""

    WELL = auto()  # it has done what it was asked for
    WAITING = auto()  # `wait` waits for it, and says or raises how that ends
    AWAY = auto()  # it has failed, the user knows it, and it is asked again
    REFUSED = auto()  # it does not take the search, or not all of it
    BROKEN = auto()  # a defect of ours has ended the thread; `wait` or `finish` raises it


class Record:
    """A search's runs in MLflow. A thread opens them, and brings them to what the journals say every two seconds.

    A store that does not answer costs the search nothing: `warn` is called once, and the journals wait. A store that
    refuses the search is asked once more, at the end.

    Args:
        uri: of the store.
        name: of the search.
        make: opens the search in the store. It is called until it succeeds. Unreachable, and the errors of MLflow, the
            database and the system, mean that the store has failed. Any other RecurrentError is a refusal. Every other
            error is a defect of ours.
        warn: shows a line to the user.
    """

    def __init__(self, uri: str, name: str, make: Callable[[], Projection], warn: Callable[[str], None]) -> None:
        self.uri, self.name, self.make, self.warn = uri, name, make, warn
        self.patience = FILE_SECONDS if database(uri) else SERVER_SECONDS  # longest wait for the store
        self.opened: Projection | None = None
        self.state = State.WELL
        self.error: Exception | None = None  # the failure or refusal; None for a store that works
        self.took = 0.0  # seconds of the last attempt that has failed
        self.dropped = 0  # trials that MLflow has refused
        self.tuned = 0  # number of trials when the database's statistics were last made
        self.change = threading.Lock()
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    @property
    def projection(self) -> Projection:
        """Opens the record if it is not open yet. Raises what `make` raises."""
        return self.opened or self.open_now()

    def open_now(self) -> Projection:
        made = self.make()
        # An attempt has failed before. Its request may still be carried out, and make a second run of the search.
        made.doubtful |= self.error is not None
        self.opened = made
        return made

    def start(self) -> None:
        """Starts the thread, unless it has been started."""
        if self.thread.ident is None:
            self.thread.start()

    def wait(self, enough: Callable[[], bool]) -> None:
        """Starts the thread, and waits until the record is open, `enough()` is true or `patience` is over.

        If the record is not open then, the user is told, and the thread keeps asking. Raises what keeps the record from
        being opened: the store's refusal, or a defect of ours.
        """
        began, file = time.monotonic(), database(self.uri)
        said = file is None  # a server gets one line, when the wait is over
        patient = NEW_FILE_SECONDS if file and not file.exists() else PATIENT_SECONDS
        self._become(State.WAITING)
        self.start()
        while self.state is State.WAITING and self.thread.is_alive() and not enough():
            waited = time.monotonic() - began
            if waited > self.patience:
                break
            if waited > patient and not said:
                said = True
                self._say(f"waiting up to {self.patience:.0f} s for the tracking store {self.uri}")
            time.sleep(LOOK_SECONDS)
        failure = self.error or Unreachable(f"tracking-uri: expected an MLflow store, got {self.uri}: no answer yet")
        if self._become(State.AWAY, failure, only=State.WAITING) is State.WAITING:
            self._say(f"{in_a_line(failure)}; the search goes on without its store, which {self._again(failure)}")
        elif self.error and self.opened is None:
            raise self.error

    def _become(self, state: State, error: Exception | None = None, only: State | None = None) -> State:
        """Changes the state, with `only` from this state alone. Returns the state before."""
        # `wait` may give up at the moment at which the thread is refused. Each of them must know whether it is the
        # first, so that the user is told once.
        with self.change:
            before = self.state
            if only in (None, before):
                self.state, self.error = state, error
            return before

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # a defect of ours; the user sees it when the launcher's main thread raises it
            self._become(State.BROKEN, error)

    def _follow(self) -> None:
        pause = 0.0
        while not self.ending.wait(pause) and self.state is not State.REFUSED:
            works = (self.opened is not None or self._try(self.open_now)) and self._try(self._send)
            pause = EVERY_SECONDS if works else RETRY_SECONDS

    def _send(self) -> None:
        """Sends what is new. `finish` sends what is left when the search ends meanwhile."""
        self.projection.sync(hold=HOLD_SECONDS, enough=self.ending.is_set)
        self._say_dropped()
        file = database(self.uri)
        if file and len(self.projection.trials) >= max(self.tuned + TUNE_AFTER, TUNE_GROWTH * self.tuned):
            self.tuned = len(self.projection.trials)
            tune(file)

    def _try(self, action: Callable[[], object]) -> bool:
        """Asks the store for something. False if it has failed or refused; the state says which, and the user knows."""
        began = time.monotonic()
        try:
            action()
        except FAILURES as error:
            self._fail(error)
        except RecurrentError as error:
            self._refuse(error)
        else:
            self._become(State.WELL)
            return True
        self.took = time.monotonic() - began
        return False

    def _fail(self, error: Exception) -> None:
        """Keeps the store's failure. The user is told of the first one; `wait` tells of those that it waits through."""
        if self._become(State.AWAY, error, only=State.WELL) is State.WELL:
            self._say(f"the tracking store failed: {in_a_line(error)}; it {self._again(error)}")
        else:
            self.error = error

    def _refuse(self, error: RecurrentError) -> None:
        if self._become(State.REFUSED, error) in (State.WELL, State.AWAY):
            self._say(f"MLflow is not told all of this search: {error}; {self._way_out()}")

    def _say(self, text: str) -> None:
        """Tells the user. Printing fails if the terminal is closed, and that must not stop the thread."""
        with suppress(OSError, SystemExit):
            self.warn(text)

    def _sync(self) -> str:
        """The command that sends what the store lacks."""
        return f"`{shlex.join(['recurrent', 'sync', self.name, *uri_arguments(self.uri)])}`"

    def _way_out(self) -> str:
        return f"{self._sync()} sends the rest once that is put right"

    def _again(self, error: Exception) -> str:
        """What becomes of a store that has failed. Asking again does not often end a denial, so the user must know."""
        return f"is asked again; {self._way_out()}" if denied(error) else "is asked again"

    def _say_dropped(self) -> None:
        while self.opened and self.opened.dropped:
            self.dropped += 1
            self._say(self.opened.dropped.pop())

    def finish(self, status: str, last: Callable[[], None] | None = None, stopped: str = "") -> bool:
        """Sends the rest, runs `last`, and ends the parent run. No worker may be alive.

        Returns False if that failed, or if MLflow has refused a trial. A store that does not answer is waited for until
        `patience` is over. Raises a defect of ours that has ended the thread.

        Args:
            status: of the parent run, MLflow's word.
            stopped: why the search has ended; "" keeps the reason that the record has.
        """
        deadline, before = time.monotonic() + self.patience, self.state
        self.ending.set()
        if self.thread.is_alive():
            self.thread.join(self.patience)
        if self.error and self.state is State.BROKEN:
            raise self.error
        # A thread that still waits for an answer must not send at the same time as this one.
        done = not self.thread.is_alive() and self._repeat(lambda: self._finish(status, last, stopped), deadline)
        if not done and (self.state is not State.REFUSED or before is State.REFUSED):
            when = " once that is put right" if self.state is State.REFUSED else ""
            self._say(f"MLflow lacks the last results; {self._sync()} sends them{when}")
        self._say_dropped()
        if file := database(self.uri):
            tune(file)
        return done and not self.dropped

    def _repeat(self, action: Callable[[], None], deadline: float) -> bool:
        """Repeats an action until it succeeds, so that the user need not. False if it does not succeed.

        A server may answer again, and another process may release the file. A silent server lets an attempt wait as
        long as the one before. No attempt begins that would then last beyond `deadline`.
        """
        pause = 0.0
        while self.error is None or time.monotonic() + pause + self.took < deadline:
            time.sleep(pause)
            if self._try(action):
                return True
            if self.state is State.REFUSED or not (database(self.uri) is None or (self.error and locked(self.error))):
                return False
            pause = RETRY_SECONDS
        return False

    def _finish(self, status: str, last: Callable[[], None] | None, stopped: str) -> None:
        projection = self.projection
        projection.sync(over=True)
        if stopped:
            projection.say_stopped(stopped)
        try:
            if last:
                last()
        except (*FAILURES, RecurrentError):
            raise
        except Exception as error:
            if is_defect(error):
                raise
            # A library for the server's files may be missing, or have no key to them.
            raise SearchStateError(f"the best model: {type(error).__name__}: {in_a_line(error)}") from error
        finally:
            projection.end(status)
