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

BIN, TESTS = Path(sys.executable).parent, Path(__file__).parents[1]
RECURRENT = (sys.executable, "-m", "experiments")
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
        self.holder = new_network()
        quiet = {"RAY_USAGE_STATS_ENABLED": "0", "CUDA_VISIBLE_DEVICES": "-1"}
        self.environment = environment(folder) | quiet
        # Seats import parts of a test. The root comes first, or tests/tracking would be taken for tracking.
        places = [self.environment.get("PYTHONPATH"), *map(str, (TESTS.parent, TESTS))]
        self.environment["PYTHONPATH"] = os.pathsep.join(filter(None, places))

    def _inside(self, *words: str) -> list[str]:
        return inside(self.holder, *words)

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """A command in the network."""
        return self._begin(self._inside(*words))

    def _begin(self, words: list[str]) -> "subprocess.Popen[str]":
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(words, env=self.environment, cwd=self.folder, **pipes)

    def holders(self) -> "list[subprocess.Popen[bytes]]":
        """The processes that hold the networks."""
        return [self.holder]

    def processes(self) -> Iterator[psutil.Process]:
        """Every process in these networks."""
        holders = {holder.pid for holder in self.holders()}
        networks = {network_of(pid) for pid in holders}
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                if network_of(process.pid) in networks and process.pid not in holders:
                    process.cmdline()
                    yield process

    def close(self) -> None:
        while left := list(self.processes()):  # a process may begin another one meanwhile
            for process in left:
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGKILL)
            psutil.wait_procs(left, 5)
        for holder in self.holders():
            holder.kill()
            holder.wait()


class Cluster(Network):
    """Three nodes, and the commands that run beside them."""

    head, nodes = HEAD, NODES

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.link()
        self.environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        # The path of a socket has at most 107 characters, and pytest's folders are long.
        self.place = Path("/tmp") / f"ray-{self.holder.pid}"
        more = ("--head", f"--port={PORT}", "--include-dashboard=false", f"--temp-dir={self.place}")
        self._ray(self._inside(), f"--node-ip-address={self.head}", *more, "--num-cpus=1")
        for node in self.nodes:
            self.join(node)

    def link(self) -> None:
        """Gives the nodes their network. Here they have it."""

    @property
    def address(self) -> str:
        return f"{self.head}:{PORT}"

    def _ray(self, inside: list[str], *words: str, **more: str) -> None:
        """Starts a node.

        Args:
            inside: what comes before a command in the network of the node.
            more: variables.
        """
        how = {"env": self.environment | more, "cwd": self.folder, "timeout": START_SECONDS}
        done = subprocess.run([*inside, str(BIN / "ray"), "start", *words], capture_output=True, text=True, **how)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def join(self, node: str, **more: str) -> None:
        self._ray(self._inside(), f"--address={self.address}", f"--node-ip-address={node}", "--num-cpus=1", **more)

    def recurrent(self, *words: str) -> "subprocess.Popen[str]":
        """A command of ours that runs on the head's node."""
        return self.begin(*RECURRENT, *words)

    def raylet(self, node: str) -> psutil.Process:
        """The process that makes a node one of the cluster."""
        (found,) = (one for one in self.processes() if f"--node_ip_address={node}" in one.cmdline())
        return found

    def seats(self) -> list[psutil.Process]:
        """The processes in which workers run."""
        return [one for one in self.processes() if "ray::RaySeat" in " ".join(one.cmdline())]


class Linked(Cluster):
    """Nodes with a network each, joined by links that can be cut. The head has the bridge."""

    head, nodes = "10.77.0.1", ("10.77.0.2", "10.77.0.3")

    def link(self) -> None:
        self.others = {node: new_network() for node in self.nodes}
        self._ip(self.holder, "link add bridge type bridge")
        self._ip(self.holder, f"address add {self.head}/24 dev bridge")
        self._ip(self.holder, "link set bridge up")
        for number, (node, other) in enumerate(self.others.items()):
            self._ip(self.holder, f"link add v{number} type veth peer name eth netns {other.pid}")
            self._ip(self.holder, f"link set v{number} master bridge up")
            self._ip(other, f"address add {node}/24 dev eth")
            self._ip(other, "link set eth up")

    def _ip(self, holder: "subprocess.Popen[bytes]", words: str) -> None:
        subprocess.run(inside(holder, "ip", *words.split()), check=True)

    def holders(self) -> "list[subprocess.Popen[bytes]]":
        return [self.holder, *getattr(self, "others", {}).values()]

    def join(self, node: str, **more: str) -> None:
        how = f"--address={self.address}", f"--node-ip-address={node}", "--num-cpus=1"
        self._ray(inside(self.others[node]), *how, **more)

    def begin_on(self, node: str, *words: str) -> "subprocess.Popen[str]":
        """A command on a node that is not the head."""
        return self._begin(inside(self.others[node], *words))

    def cut(self, node: str) -> None:
        """Takes away the link of a node."""
        self._ip(self.others[node], "link set eth down")

    def mend(self, node: str) -> None:
        self._ip(self.others[node], "link set eth up")


def network_of(pid: int) -> int:
    """The number of the network in which a process is."""
    return os.stat(f"/proc/{pid}/ns/net").st_ino


def new_network() -> "subprocess.Popen[bytes]":
    """A process in a network of its own, in which the addresses 127.x.x.x work."""
    holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
    while network_of(holder.pid) == network_of(os.getpid()):  # it has not left ours yet
        time.sleep(0.01)
    subprocess.run(inside(holder, "ip", "link", "set", "lo", "up"), check=True)
    return holder


def inside(holder: "subprocess.Popen[bytes]", *words: str) -> list[str]:
    """A command in the network that a process holds."""
    return ["nsenter", f"--net=/proc/{holder.pid}/ns/net", *words]


@contextmanager
def closing(network: Any) -> Iterator[Any]:
    """Ends all processes of a network at the end."""
    try:
        yield network
    finally:
        network.close()
