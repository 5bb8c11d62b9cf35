"""Searches on the nodes of a cluster, and the same searches on this machine."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.config.folders import SearchFolder
from support.ray_cluster import Cluster
from support.searching import environment

TASK = ("search", "adding", "-o", "length=10", "-o", "val=64", "--cells", "gru,lstm", "--depth", "1")
SPACE = ("--width", "16,32", "--learning-rate", "0.01,0.003", "--batch", "8", "--no-horizon", "--seed", "1")
SHORT = (*TASK, *SPACE, "-o", "train=512", "--epochs", "6", "--oracle", "grid")
LONG = (*TASK, *SPACE, "-o", "train=4096", "--epochs", "30", "--oracle", "grid")  # minutes on three nodes
ENDED_SECONDS = 1_200.0  # longest search of a test


def told(folder: Path) -> list[list[tuple[Any, ...]]]:
    """Of each trial the epochs with their metrics, then the score."""
    found = []
    for trial in SearchFolder(folder).trials():
        events = trial.journal.events()
        epochs = [(event["epoch"], event["metrics"]) for event in events if event["event"] == "epoch"]
        found.append([*epochs, *[(event["outcome"], event["score"]) for event in events if event["event"] == "end"]])
    return found


def locally(folder: Path, words: tuple[str, ...]) -> list[Any]:
    """What one worker of this machine finds."""
    command = [sys.executable, "-m", "experiments", *words, "--workers", "1", "--name", "local"]
    subprocess.run(command, cwd=folder, env=environment(folder), check=True, capture_output=True)
    return told(folder / "searches" / "local")


def on_cluster(nodes: Cluster, name: str, *words: str) -> "subprocess.Popen[str]":
    return nodes.recurrent(*words, "--engine", "ray", "--address", nodes.address, "--name", name)


def ended(process: "subprocess.Popen[str]", errors: str = "") -> str:
    """What a search has printed, when it has ended well."""
    out, got = process.communicate(timeout=ENDED_SECONDS)
    assert process.returncode == 0, out + got
    assert errors in got if errors else got == ""
    return out


def wait_until(true: Callable[[], Any], seconds: float, what: str) -> float:
    """Waits until something is true; returns after how many seconds. Fails after `seconds`."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, what
        time.sleep(0.05)
    return time.monotonic() - began


def events(folder: Path) -> list[dict[str, Any]]:
    """All lines of the journals of trials."""
    return [event for trial in SearchFolder(folder).trials() for event in trial.journal.events()]


def begun(process: "subprocess.Popen[str]", folder: Path, lines: int) -> None:
    """Waits until the journals of a search have so many lines."""
    wait_until(lambda: len(events(folder)) >= lines or process.poll() is not None, 180, "it does not begin")
    assert process.poll() is None, process.communicate()
