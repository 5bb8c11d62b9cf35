"""A Ray cluster of three nodes on this machine, in a network of its own that leads nowhere."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from support.searching import environment

BIN = Path(sys.executable).parent
HEAD, NODES = "127.0.0.2", ("127.0.0.3", "127.0.0.4")
PORT = 6379
START_SECONDS = 180.0  # longest start of a node; a busy machine took 61


def possible() -> str:
    """Why there can be no cluster here; "" if there can be one."""
    with suppress(ImportError):
        import ray  # noqa: F401

        done = subprocess.run(["unshare", "-n", "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
        return done.stderr.strip()
    return "the extra `ray` is not installed"


class Network:
    """A network of its own, with the addresses 127.x.x.x alone. Commands run in it.

    Args:
        folder: for the files of Ray and of the searches.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        quiet = {"RAY_USAGE_STATS_ENABLED": "0", "CUDA_VISIBLE_DEVICES": "-1"}
        self.environment = environment(folder) | quiet
        places = [self.environment.get("PYTHONPATH"), str(Path(__file__).parents[1])]  # seats import parts of a test
        self.environment["PYTHONPATH"] = os.pathsep.join(filter(None, places))
        while subprocess.run(self._inside("ip", "link", "set", "lo", "up"), capture_output=True).returncode:
            time.sleep(0.05)

    def _inside(self, *words: str) -> list[str]:
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *words]

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """A command in the network."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(self._inside(*words), env=self.environment, cwd=self.folder, **pipes)

    def processes(self) -> Iterator[psutil.Process]:
        """Every process in this network."""
        network = os.stat(f"/proc/{self.holder.pid}/ns/net").st_ino
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                if os.stat(f"/proc/{process.pid}/ns/net").st_ino == network and process.pid != self.holder.pid:
                    process.cmdline()
                    yield process

    def close(self) -> None:
        while left := list(self.processes()):  # a process may begin another one meanwhile
            for process in left:
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGKILL)
            psutil.wait_procs(left, 5)
        self.holder.kill()
        self.holder.wait()


class Cluster(Network):
    """Three nodes, and the commands that run beside them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        # The path of a socket has at most 107 characters, and pytest's folders are long.
        self.place = Path("/tmp") / f"ray-{self.holder.pid}"
        more = ("--head", f"--port={PORT}", "--include-dashboard=false", f"--temp-dir={self.place}")
        self._ray("start", f"--node-ip-address={HEAD}", *more, "--num-cpus=1")
        for node in NODES:
            self.join(node)

    @property
    def address(self) -> str:
        return f"{HEAD}:{PORT}"

    def _ray(self, *words: str) -> None:
        command = self._inside(str(BIN / "ray"), *words)
        more = {"env": self.environment, "cwd": self.folder, "timeout": START_SECONDS}
        done = subprocess.run(command, capture_output=True, text=True, **more)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def join(self, node: str) -> None:
        self._ray("start", f"--address={self.address}", f"--node-ip-address={node}", "--num-cpus=1")

    def recurrent(self, *words: str) -> "subprocess.Popen[str]":
        """A command of ours that runs on the head's node."""
        return self.begin(sys.executable, "-m", "experiments", *words)

    def raylet(self, node: str) -> psutil.Process:
        """The process that makes a node one of the cluster."""
        (found,) = (one for one in self.processes() if f"--node_ip_address={node}" in one.cmdline())
        return found

    def seats(self) -> list[psutil.Process]:
        """The processes in which workers run."""
        return [one for one in self.processes() if "ray::RaySeat" in " ".join(one.cmdline())]


@contextmanager
def closing(network: Any) -> Iterator[Any]:
    """Ends all processes of a network at the end."""
    try:
        yield network
    finally:
        network.close()
