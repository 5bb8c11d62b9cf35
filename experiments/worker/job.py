"""What a worker on another machine gets, and how it runs. This file does not import Keras."""

import dataclasses
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from experiments.config.folders import SearchFolder, lock, try_acquire
from experiments.config.spec import Spec
from experiments.worker.process import Tuner, run_trials

Ask = Callable[[dict[str, Any]], Any]  # sends a message to the desk of the launcher and returns its answer

PREFIX = "recurrent-"  # begins the names of the folders of workers
NEW_SECONDS = 60.0  # a folder that is younger is left alone


@dataclasses.dataclass(frozen=True)
class Job:
    """What all workers of a search get once.

    Args:
        spec: of the search, as JSON.
        session: names the launcher.
        make: makes a worker's tuner; `make_remote_tuner`, or a fake one in tests.
        own: files of the folder of the search, by their places there: the code of a user's task, the plan of finals.
        data: a user's file or folder, by "task" or the option that names it: its name, and the content of its files by
            their places. The place of a file of a folder begins with the name of the folder.
    """

    spec: dict[str, Any]
    session: str
    make: Callable[[SearchFolder, Spec, int, str, int | None, Ask], Tuner]
    own: dict[str, bytes] = dataclasses.field(default_factory=dict)
    data: dict[str, tuple[str, dict[str, bytes]]] = dataclasses.field(default_factory=dict)

    def unpack(self, folder: SearchFolder) -> Spec:
        """Writes the files into the folder of a worker; returns the spec that names them there."""
        spec = Spec.of(self.spec)
        _write(folder.path, self.own)
        for what, (name, files) in self.data.items():
            path = folder.path / what / name
            _write(folder.path / what, files)
            if what == "task":
                spec = dataclasses.replace(spec, task=str(path))
            else:
                spec = dataclasses.replace(spec, options={**spec.options, what: str(path)})
        return spec


def _write(folder: Path, files: dict[str, bytes]) -> None:
    for place, content in files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(content)


@contextmanager
def _own_folder() -> Iterator[SearchFolder]:
    """A folder for the files of a worker. Those that killed workers have left are removed.

    A living worker holds the lock of its folder, and the system releases it when the worker dies.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/lock"):
        with suppress(OSError):  # another worker removes it, too, or it is another user's
            # A worker that begins now has made its lock, and takes it in a moment.
            if time.time() - left.stat().st_mtime > NEW_SECONDS and try_acquire(held := lock(left)):
                shutil.rmtree(left.parent, ignore_errors=True)
                held.release()
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as place:
        own = lock(Path(place) / "lock")
        own.acquire()
        yield SearchFolder(Path(place))
        own.release()


def work_remotely(job: Job, index: int, key: str, memory_limit: int | None, ask: Ask) -> int:
    """Runs trials of a search until there are no more; returns the exit code, one of worker/process.py.

    Args:
        index: of the worker.
        key: names this start of the worker.
        memory_limit: bytes; the launcher ends a worker that uses more. None for no limit.
        ask: asks the desk.
    """
    with _own_folder() as folder:

        def begin() -> Tuner:
            tuner = job.make(folder, job.unpack(folder), index, job.session, memory_limit, ask)
            tuner.key, tuner.host = key, {"host": platform.node()}
            return tuner

        return run_trials(begin)
