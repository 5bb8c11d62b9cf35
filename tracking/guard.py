"""Runs a command, and ends it when the process that started this one has ended, even by kill -9.

The starter gives this process a pipe as standard input, and a process group of its own. The system closes the pipe when
the starter ends.
"""

import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """Runs the command; returns its exit code."""
    # The starter sends SIGTERM to the whole group. This process waits until the command has ended.
    signal.signal(signal.SIGTERM, lambda *_: None)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_starter, daemon=True).start()
    code = process.wait()
    return code if code >= 0 else 128 - code  # as a shell reports a signal


def _end_with_starter() -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
