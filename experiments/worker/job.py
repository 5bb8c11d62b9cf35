"""What a worker on another machine gets, and how it runs. This file does not import Keras."""

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.worker.process import Tuner, run_trials

Ask = Callable[[dict[str, Any]], Any]  # sends a message to the desk of the launcher and returns its answer


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


def work_remotely(job: Job, index: int, key: str, memory_limit: int | None, ask: Ask) -> int:
    """Runs trials of a search until there are no more; returns the exit code, one of worker/process.py.

    Args:
        index: of the worker.
        key: names this start of the worker.
        memory_limit: bytes; the launcher ends a worker that uses more. None for no limit.
        ask: asks the desk.
    """
    with tempfile.TemporaryDirectory(prefix="recurrent-") as place:
        folder = SearchFolder(Path(place))

        def begin() -> Tuner:
            tuner = job.make(folder, job.unpack(folder), index, job.session, memory_limit, ask)
            tuner.key = key
            return tuner

        return run_trials(begin)
