"""kill -9 of a command: its launcher, its workers, or all."""

import signal
import subprocess
from contextlib import suppress

import psutil


def kill(process: subprocess.Popen[str], victim: str) -> bool:
    """True if there was somebody to kill: the workers, the launcher, or both."""
    victims = []
    with suppress(psutil.NoSuchProcess):
        launcher = psutil.Process(process.pid)
        workers = [child for child in launcher.children() if "spawn_main" in " ".join(child.cmdline())]
        victims = {"worker": workers, "launcher": [launcher], "both": [launcher, *workers]}[victim]
    for one in victims:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGKILL)
    return bool(victims)
