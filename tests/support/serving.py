"""`recurrent serve` in a process, and requests to it."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from support.searching import Searched, environment, wait_until


def _interruptible() -> None:
    """A shell starts what runs in its background with Ctrl-C ignored, and the server would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Serving:
    """A server that runs, and what it printed."""

    def __init__(self, which: str, search: Searched, folder: Path) -> None:
        self.out = folder / "out"
        words = [sys.executable, "-m", "experiments", "serve", which, "--tracking-uri", search.uri]
        with self.out.open("w") as out:
            self.process = subprocess.Popen(
                words,
                cwd=search.folder,
                env=environment(search.folder),
                stdout=out,
                stderr=out,
                preexec_fn=_interruptible,
            )
        wait_until(lambda: "Ctrl-C" in self.out.read_text(), self.process)
        self.lines = self.out.read_text().splitlines()
        self.url = self.lines[0].split()[-1]

    def ask(self, body: Any) -> tuple[int, Any]:
        """(the status, the answer) for a body, as JSON or as bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())
