"""Searches as users run them: the command line in a process of its own, in a folder of its own.

The fixtures here are shared by all tests (tests/conftest.py names them): a search takes half a minute, and is run once
for all processes of pytest. Each process has its own copy, which its tests may change.
"""

import glob
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.once import copied, copy_store, once, shared
from support.warm import WarmProcess

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run


Recurrent = Callable[..., subprocess.CompletedProcess[str]]  # the fixture `recurrent`: (*words, cwd=folder)
TEMPORARY = ".temporary"
RECURRENT = ("-m", "experiments")  # the program, as Python's arguments
COMMAND_SECONDS = 240  # that a command may take on a busy machine
OURS = ("MLFLOW_", "TF_", "CUDA_", "KERAS_", "PYTHONWARNINGS", "RECURRENT_")  # a user has not set these

# A search that gives up a server after seconds.
IMPATIENT = """
import sys
import tracking.record
from experiments.cli.main import main

tracking.record.SERVER_SECONDS = tracking.record.FILE_SECONDS = tracking.record.RETRY_SECONDS = 1.0
sys.exit(main(sys.argv[1:]))
"""

# The data are small: then the six trials take half a minute.
SEARCH = (
    *("search", "adding", "-o", "length=50", "-o", "train=256", "-o", "val=128", "-o", "test=128"),
    *("--trials", "6", "--epochs", "2", "--workers", "2", "--seed", "0", "--name", "t"),
)
LANGUAGE = (
    *(
        "search",
        "char_lm",
        "-o",
        "corpus=text.txt",
        "-o",
        "train=9600",
        "-o",
        "window=16",
        "--cells",
        "lstm,gru",
        "--depth",
        "1",
    ),
    *("--width", "16", "--learning-rate", "0.02", "--batch", "8", "--oracle", "grid", "--trials", "2"),
    *("--epochs", "1", "--workers", "1", "--seed", "0", "--name", "words"),
)


@dataclass(frozen=True)
class Searched:
    """A search that was run in `folder`, and what its command said, and that of its export if there was one."""

    folder: Path
    name: str
    done: subprocess.CompletedProcess[str]
    export: subprocess.CompletedProcess[str] | None = None

    def exported(self) -> Path:
        """What `recurrent export` has written."""
        assert self.export and (self.export.returncode, self.export.stderr) == (0, "")
        return self.folder / "best"

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder}/mlflow.db"

    @property
    def temporary(self) -> list[Path]:
        """What the search has left in the folder for temporary files."""
        return list((self.folder / TEMPORARY).iterdir())

    @property
    def client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        return MlflowClient(self.uri)

    @property
    def parent(self) -> "Run":
        (parent,) = self.runs("search")
        return parent

    def runs(self, kind: str) -> list["Run"]:
        """The runs of a kind, oldest first, whatever the project's own way of finding them says."""
        client = self.client
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        text = f"tags.`recurrent.kind` = '{kind}' and tags.`recurrent.search_id` = '{self.name}'"
        return list(client.search_runs(experiments, text, order_by=["attributes.start_time ASC"]))

    def trials(self) -> list["Run"]:
        """The trials, by number."""
        return sorted(self.runs("trial"), key=lambda run: run.data.tags["recurrent.trial"])

    def curve(self, run: "Run", metric: str) -> list["Metric"]:
        return list(self.client.get_metric_history(run.info.run_id, metric))

    def results(self) -> dict[str, Any]:
        """What `recurrent results NAME --json` prints."""
        from tracking.results import results

        return results(self.client, self.parent)


def environment(folder: Path, report: bool = False) -> dict[str, str]:
    """A user's environment: none of the settings that make TensorFlow or MLflow behave, or quiet.

    Args:
        report: a search makes its report at its end.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    if glob.glob("/dev/nvidia[0-9]*"):
        kept["CUDA_VISIBLE_DEVICES"] = "-1"  # the same scores everywhere
    quick = {} if report else {"RECURRENT_NO_REPORT": "1"}  # a report takes seconds, and its own tests look at it
    return {**kept, **quick, "RECURRENT_SEARCH_CACHE": str(folder / ".cache"), "COLUMNS": "100"}


def run(
    *words: str,
    cwd: Path,
    code: str = "",
    program: tuple[str, ...] = (),
    seconds: int = COMMAND_SECONDS,
    report: bool = False,
) -> subprocess.CompletedProcess[str]:
    """`recurrent WORDS` to its end.

    Args:
        code: a program in Python that runs in place of `recurrent`. It calls `main` of the command line.
        program: the same as arguments of Python, in a new process as a user starts it: `RECURRENT`, or a script.
            Without it the process has the imports already; see warm.py.
        report: a search makes its report at its end.
    """
    return finished(begin(*words, cwd=cwd, code=code, program=program, report=report), seconds)


def begin(
    *words: str, cwd: Path, code: str = "", program: tuple[str, ...] = (), report: bool = False
) -> subprocess.Popen[str] | WarmProcess:
    """`recurrent WORDS` as the leader of a process group, as a shell starts it. The arguments are those of `run`."""
    env = environment(cwd, report)
    if not program:
        return WarmProcess(words, cwd, env, code)
    return subprocess.Popen(
        [sys.executable, *program, *words],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in a script's background ignore Ctrl-C
    )


def finished(
    process: subprocess.Popen[str] | WarmProcess, seconds: int = COMMAND_SECONDS
) -> subprocess.CompletedProcess[str]:
    """What a begun command said, when it has ended."""
    try:
        said = process.communicate(timeout=seconds)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(process.args, process.returncode or 0, *said)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str] | WarmProcess) -> None:
    deadline = time.monotonic() + COMMAND_SECONDS
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"ended, or took too long: {finished(process)}")
        time.sleep(0.005)


def events(folder: Path, name: str, trial: str) -> list[dict[str, Any]]:
    """A trial's journal, read without the project's help."""
    journal = folder / "searches" / name / "trials" / trial / "journal.jsonl"
    text = journal.read_text("utf-8") if journal.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def processes_in(folder: Path) -> list[int]:
    """The processes whose current folder this is."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if link.readlink() == folder:
                found.append(int(link.parent.name))
    return found


def listing(folder: Path) -> dict[str, tuple[int, int] | None]:
    """Every file (its size and the time of its last change) and folder in a folder, without Python's bytecode."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else (path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts
    }


def text(characters: int, seed: int) -> str:
    """Words in random order: something to learn, but not by heart."""
    rng = random.Random(seed)
    words = ("the", "gate", "of", "a", "cell", "forgets\n", "and", "remembers", "long", "sequences", "Ångström")
    return " ".join(rng.choice(words) for _ in range(characters))[:characters]


class NotRefused(BaseException):
    """The search would begin."""


@pytest.fixture
def recurrent(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Recurrent:
    """`recurrent WORDS` in this process, which has the imports; a search that is not refused ends here at once."""
    from experiments.cli import main as cli
    from experiments.launcher.supervise import Supervisor
    from experiments.system.environment import QUIET
    from tracking import store

    def begin(*_: Any) -> None:
        raise NotRefused

    def call(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(cwd)
        capfd.readouterr()
        try:
            code = cli.main(words)
        except SystemExit as end:
            code = int(end.code or 0)
        said = capfd.readouterr()
        return subprocess.CompletedProcess(words, code, said.out, said.err)

    monkeypatch.setattr(Supervisor, "run", begin)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path / ".cache"))
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a process of its own hides it
    for name, value in {**QUIET, **store.SETTINGS}.items():  # set by the command line: taken back after the test
        monkeypatch.setenv(name, value)
    return call


def _run_apart(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`recurrent WORDS` with a folder of its own for temporary files, which `Searched.temporary` lists."""
    (cwd / TEMPORARY).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(cwd / TEMPORARY))
        return run(*words, cwd=cwd)


def searched_and_exported(folder: Path, words: tuple[str, ...], name: str) -> Searched:
    """A search whose best model is exported."""
    done = _run_apart(*words, cwd=folder)
    assert done.returncode == 0, done
    return Searched(folder, name, done, run("export", name, "--to", "best", cwd=folder))


def adding(folder: Path) -> Searched:
    return searched_and_exported(folder, SEARCH, "t")


def words(folder: Path) -> Searched:
    (folder / "text.txt").write_text(text(42_000, seed=0), encoding="utf-8")
    return searched_and_exported(folder, LANGUAGE, "words")


def copy(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Searched]) -> Searched:
    """A search that is made once in a run of the tests, as a copy that no other process of pytest sees."""
    made = once(factory, name, make)
    return replace(made, folder=copied(made.folder, factory.mktemp(name).resolve()))


def count_floors(folder: Path) -> None:
    """The floors of all tasks. Some of texts take half a minute to count, so that is done once."""
    done = run("tasks", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")


def with_floors(factory: pytest.TempPathFactory, folder: Path) -> Path:
    """A folder whose cache has the floors of all tasks."""
    once(factory, "floors", count_floors)
    return copy_store(shared(factory) / "floors" / ".cache", folder / ".cache").parent


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """The search `t`: six trials on two workers."""
    return copy(tmp_path_factory, "searched", adding)


@pytest.fixture(scope="session")
def language(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """The search `words`: two language models of text.txt."""
    return copy(tmp_path_factory, "language", words)


@pytest.fixture(scope="session")
def exported(searched: Searched) -> Path:
    """What `recurrent export t` has written."""
    return searched.exported()


@pytest.fixture(scope="session")
def exported_language(language: Searched) -> Path:
    """What `recurrent export words` has written."""
    return language.exported()


@pytest.fixture(scope="session")
def served(searched: Searched) -> Iterator[str]:
    """The address of a real `mlflow server` on the store of `searched`."""
    from tracking.ui import server

    with server(searched.uri) as running:
        yield running.url
