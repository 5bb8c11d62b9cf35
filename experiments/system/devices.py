"""The NVIDIA GPUs of this machine: which ones a search uses, and why it does not use the others."""

import functools
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tracking.errors import RecurrentError

DEVICES = Path("/dev")  # the folder in which the cards are nvidia0, nvidia1, …
VISIBLE = "CUDA_VISIBLE_DEVICES"
ANSWER_SECONDS = 120.0  # longest wait for TensorFlow, which looks for CUDA's libraries on a slow disk
QUESTION = """
import tensorflow as tf
print(len(tf.config.list_physical_devices("GPU")) if tf.test.is_built_with_cuda() else "no CUDA")
"""


class DeviceError(RecurrentError):
    """A card cannot be used as a user has asked."""


@dataclass(frozen=True)
class Gpus:
    """What is known of the GPUs.

    Args:
        cards: how many NVIDIA cards this machine has.
        used: the GPUs that workers use, by their names for CUDA_VISIBLE_DEVICES.
        hidden: how many cards CUDA_VISIBLE_DEVICES hides.
        why: why TensorFlow does not use the other cards; "" if there are none.
    """

    cards: int = 0
    used: tuple[str, ...] = ()
    hidden: int = 0
    why: str = ""

    def line(self) -> str:
        """The devices of a search, for people; "" for a machine without a card."""
        if not self.cards:
            return ""
        reasons = [f"{self.hidden} hidden by {VISIBLE}"] if self.hidden else []
        rest = self.cards - self.hidden - len(self.used)
        reasons += [f"{rest} not used: {self.why}"] if rest > 0 else []
        return "; ".join([f"devices: GPU {', '.join(self.used)}" if self.used else "devices: processors", *reasons])


def gpus() -> Gpus:
    """The GPUs as TensorFlow sees them. A machine without an NVIDIA card is not asked, and answers at once."""
    return _look(DEVICES, os.environ.get(VISIBLE))


def memory(name: str) -> int:
    """The memory of a card in MB.

    Args:
        name: of the card for CUDA_VISIBLE_DEVICES, its number or its UUID.

    Raises DeviceError if NVIDIA's program does not say it.
    """
    words = ["nvidia-smi", f"--id={name}", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=ANSWER_SECONDS).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if not said.strip().isdecimal():
        expected = f"expected the memory of card {name} from nvidia-smi"
        raise DeviceError(f"--workers-per-gpu: {expected}, got: {said.strip() or 'nothing'}")
    return int(said)


def has_mps() -> bool:
    """True if NVIDIA's Multi-Process Service runs. Its control daemon has made this folder."""
    return Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps")).is_dir()


@functools.cache
def _look(devices: Path, visible: str | None) -> Gpus:
    cards = _cards(devices)
    everything = [str(index) for index in range(cards)] if visible is None else visible.split(",")
    names = tuple(name for name in everything if name and name != "-1")[:cards]
    seen, why = _ask() if names else (0, "")
    return Gpus(cards, names[:seen], cards - len(names), why if seen < len(names) else "")


def _cards(devices: Path) -> int:
    if found := len(list(devices.glob("nvidia[0-9]*"))):
        return found
    if shutil.which("nvidia-smi") is None:
        return 0
    # Windows' subsystem for Linux has no such files.
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, errors="replace")
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


def _ask() -> tuple[int, str]:
    """(how many GPUs TensorFlow sees, why not more). A child process asks: TensorFlow would take their memory."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "0"}
    words = [sys.executable, "-P", "-c", QUESTION]
    try:
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, errors="replace", timeout=ANSWER_SECONDS
        )
    except subprocess.TimeoutExpired:
        return 0, f"TensorFlow gave no answer within {ANSWER_SECONDS:.0f} s"
    answer = (done.stdout.strip().splitlines() or [""])[-1]  # a sitecustomize.py of the user's may print, too
    if answer == "no CUDA":
        return 0, "TensorFlow is built without CUDA"
    said = re.findall(r"\] (.*(?:cuda|GPU).*)", done.stderr) or done.stderr.strip().splitlines()[-1:]
    return int(answer or 0), f"TensorFlow says: {said[0] if said else f'exit code {done.returncode}'}"
