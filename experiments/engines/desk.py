"""The desk of a search answers workers that run on other machines. It alone touches the folder of the search.

A worker asks for a trial, and gets its values and its files. It sends each line of the trial's journal together with
the files that have changed since the line before. The desk writes the files, then the line, and then answers: whoever
has the answer knows that the disk has both. It writes the lines of all workers that wait, and lets the disk write them
at the same time.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.config.folders import SearchFolder, TrialFolder
from experiments.engines import Message
from experiments.system.files import link, write_bytes
from tracking.errors import DataError
from tracking.ranking import Candidate

if TYPE_CHECKING:
    from experiments.strategy.finals import FinalsOracle
    from experiments.strategy.oracle import StudyOracle

KEPT_BY_DESK = ("lock",)  # files of a trial that stay with the desk
LOG_BYTES = 2**24  # the most that the log of one worker may have; the rest is not written
WRITERS = 16  # files that the disk writes at the same time


class Desk:
    """Answers the messages of workers.

    Args:
        folder: of the search.
        make_oracle: opens the study, or the plan of finals. It is called once, and takes seconds.
    """

    def __init__(self, folder: SearchFolder, make_oracle: "Callable[[], StudyOracle | FinalsOracle]") -> None:
        self.folder, self.make_oracle = folder, make_oracle
        self.trials: dict[str, str] = {}  # the trial that a worker runs, by the key of the worker
        self.disk = ThreadPoolExecutor(WRITERS)

    @cached_property
    def oracle(self) -> "StudyOracle | FinalsOracle":
        return self.make_oracle()

    def open(self) -> None:
        """Opens the study now, and not at the first message."""
        _ = self.oracle

    def answer(self, messages: Sequence[tuple[str, Message]]) -> list[Any]:
        """The answers to some messages, in their order.

        Args:
            messages: each with the key of its worker.
        """
        unsynced: list[Path] = []
        for _, message in messages:
            if text := message.get("log"):
                self._log(message["index"], text)
        # A worker goes on when it has its answer, and MLflow is told of the line. Without these fsyncs a power cut may
        # take away what they know. Several files are written at once, since the disk does not need longer for them. The
        # lines of the study come last: a study that lacks an epoch is told again, and one that lacks a trial makes it.
        with self.oracle.group():
            answers = [getattr(self, f"_{message['ask']}")(key, message, unsynced) for key, message in messages]
            self._sync(unsynced)
        return answers

    def _sync(self, paths: list[Path]) -> None:
        """Waits until the disk has the files."""
        if len(paths) == 1:  # threads would take longer
            _sync(paths[0])
        else:
            list(self.disk.map(_sync, paths))

    def release(self, key: str, lost: bool = False) -> None:
        """Lets another worker go on with the trial of a worker that has ended, or that was stopped.

        Args:
            lost: its machine is gone. The trial is not to blame, so this end does not count as one of its deaths.
        """
        trial_id = self.trials.pop(key, None)
        if trial_id is None:
            return
        folder = self.oracle.claimed.pop(trial_id)
        self.oracle.ongoing_trials.pop(key, None)
        if lost and _ran_by(folder, key):
            folder.journal.append("lost")
        folder.lock.release()

    def close(self) -> None:
        """Gives back all trials that still run."""
        for key in list(self.trials):
            self.release(key)
        self.disk.shutdown()

    def _alive(self, key: str, message: Message, unsynced: list[Path]) -> None:
        """A worker says from time to time that it lives."""

    def _ended(self, key: str, message: Message, unsynced: list[Path]) -> None:
        """A worker has ended. Its engine knows how."""

    def _log(self, index: int, text: bytes) -> None:
        """Writes what a worker has printed."""
        path = self.folder.worker_log(index)
        path.parent.mkdir(exist_ok=True)
        with path.open("ab") as file:
            file.write(text[: max(0, LOG_BYTES - file.tell())])

    def _trial(self, key: str, message: Message, unsynced: list[Path]) -> Message | None:
        """The next trial of a worker; None if there are no more."""
        trial = self.oracle.create_trial(key)
        if trial.trial_id not in self.oracle.claimed:
            return None
        self.trials[key] = trial.trial_id
        folder = self.oracle.claimed[trial.trial_id]
        self._tell_epochs(folder)
        earlier = self.oracle.continued(trial.trial_id)
        found = {"trial": trial.trial_id, "values": trial.hyperparameters.values, "files": _files(folder)}
        return found | ({} if earlier is None else {"continues": earlier.path.name, "earlier": _files(earlier)})

    def _tell_epochs(self, folder: TrialFolder) -> None:
        """After a kill the study may lack the last epoch of a journal."""
        for event in folder.journal.events():
            self._take(folder, event)

    def _take(self, folder: TrialFolder, event: Message) -> None:
        if event["event"] == "epoch" and event["execution"] == 0:
            self.oracle.update_trial(folder.path.name, event["metrics"], event["epoch"])

    def _commit(self, key: str, message: Message, unsynced: list[Path]) -> Message:
        """Writes files and a line of the journal; returns the line, which has the time of this machine."""
        folder = self.oracle.claimed[self.trials[key]]
        for name, content in message["files"].items():
            _write(_place(folder, name), content)
        event = folder.journal.write(message["event"], message["fields"], wait=False)
        unsynced.append(folder.journal.path)
        self._take(folder, event)
        return event

    def _prune(self, key: str, message: Message, unsynced: list[Path]) -> bool:
        return self.oracle.should_prune(self.trials[key])

    def _wins(self, key: str, message: Message, unsynced: list[Path]) -> bool:
        return self.oracle.may_win(Candidate(**message["candidate"]))

    def _end(self, key: str, message: Message, unsynced: list[Path]) -> None:
        """Tells the study how a trial has ended, which its journal says."""
        self.oracle.end_trial(self.oracle.ongoing_trials[key])
        del self.trials[key]


def _ran_by(folder: TrialFolder, key: str) -> bool:
    """True if the last start of a trial that has not ended is that of the worker `key`."""
    events = folder.journal.events()
    starts = [event for event in events if event["event"] == "start"]
    return bool(starts) and starts[-1].get("key") == key and events[-1]["event"] != "end"


def _files(folder: TrialFolder) -> dict[str, bytes]:
    """The files of a trial that its worker needs to go on, by name."""
    paths = (path for path in folder.path.iterdir() if path.is_file() and path.name not in KEPT_BY_DESK)
    return {path.name: path.read_bytes() for path in paths if not path.name.startswith("new-")}


def _place(folder: TrialFolder, name: str) -> Path:
    """Where a file of a trial lies. Raises DataError for a name that leads elsewhere."""
    if Path(name).name != name or name in (*KEPT_BY_DESK, folder.journal.path.name):
        raise DataError(f"worker: expected a file of trial {folder.path.name}, got {name!r}")
    return folder.path / name


def _write(path: Path, content: bytes | str | None) -> None:
    """Writes what a worker has sent: bytes, the name of a file with the same bytes, or None for a file that is gone."""
    if content is None:
        path.unlink(missing_ok=True)
    elif isinstance(content, str):
        link(path, path.with_name(content))
    else:
        write_bytes(path, content)


def _sync(path: Path) -> None:
    """Waits until the disk has a file. A trial that has just failed may have lost it."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
