"""`recurrent WORDS` in a process that has all imports already.

A search in new processes imports MLflow in its launcher and TensorFlow in every worker. That takes ten seconds. So each
process of pytest has a server, the `forkserver` of multiprocessing. It imports these packages once, a command is a fork
of it, and so are the command's workers.
"""

import atexit
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

TESTS = Path(__file__).parent.parent
# Python asks once for this folder and remembers it. Later a test may have changed TMPDIR.
TEMPORARY = tempfile.gettempdir()


def fork(target: Callable[..., None], *arguments: Any) -> Any:
    """A process of multiprocessing, begun, that has the imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["support.preloaded"])
    with pytest.MonkeyPatch.context() as patch:  # the server knows the folders of pytest's sys.path only if told
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (TESTS, TESTS.parent))))
        forkserver.ensure_running()
    # A test that fails may leave it running. Pytest's end kills a daemon, and would wait for any other process.
    process = context.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


class WarmProcess:
    """A command, begun in a fork of the server. It has the methods of `subprocess.Popen` that tests need.

    Args:
        words: of the command line.
        env: its environment.
        code: a program in Python that runs in place of `recurrent`.
    """

    def __init__(self, words: Sequence[str], cwd: Path, env: dict[str, str], code: str = "") -> None:
        self.args, self.folder = [*words], Path(tempfile.mkdtemp(dir=TEMPORARY))
        self.said = [self.folder / name for name in ("out", "err")]
        self.process = fork(_command, words, str(cwd), env, code, *map(str, self.said))

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        code: int | None = self.process.exitcode
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return int(self.process.exitcode)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What the command has written, when it has ended. It is asked once."""
        self.wait(timeout)
        out, err = (file.read_text("utf-8") if file.exists() else "" for file in self.said)
        shutil.rmtree(self.folder)
        return out, err


def _command(words: Sequence[str], cwd: str, env: dict[str, str], code: str, out: str, err: str) -> None:
    """The command in a fork of the server, made to look like a new process."""
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]  it has workers
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in a script's background ignore Ctrl-C,
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and those under nohup the end of the terminal
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    for number, file in ((1, out), (2, err)):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  as a pipe: written when it is full
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = ["recurrent", *words]
    from experiments.cli.main import main
    from experiments.engines import local
    from support import preloaded
    from tracking import store

    store._new_database = preloaded.new_database
    forks: Any = SimpleNamespace(get_context=lambda method: multiprocessing.get_context("fork"))
    local.multiprocessing = forks
    try:
        if code:
            exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
        else:
            sys.exit(main(words))
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out
        sys.stdout.flush()
