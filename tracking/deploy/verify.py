"""Checks the files of a format in the format's own runtime.

The check is made by a process that has the runtime and `predict.py` alone. Its outputs are compared with those of
`model.keras` in stock Keras, which come from such a process too. Only what the task scores is compared: behind the end
of a padded sequence Keras repeats its last output, and other runtimes write zeros.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tracking import formats
from tracking.deploy import measure
from tracking.deploy.samples import Samples
from tracking.errors import SearchStateError

OURS = ("experiments", "search_spaces", "tracking")


@dataclass(frozen=True)
class Run:
    """What a runtime has made of the samples.

    Args:
        outputs: `(samples, …)`.
        seconds: of one sequence, on one thread, by the number of sequences that are read at once.
        steps: of these sequences.
        peak: memory of the process in bytes.
    """

    outputs: np.ndarray
    seconds: dict[str, float]
    steps: int
    peak: int


def answered(folder: Path, name: str, samples: Samples) -> Run:
    """What the runtime of a format makes of the samples; "onnx-steps" and "litert-whole" are the format's other file.

    Raises SearchStateError if it cannot run the files.
    """
    blocked = ",".join([*OURS, *formats.load(name.split("-")[0]).BLOCKED])
    with tempfile.TemporaryDirectory() as made:
        given, out = Path(made) / "x.npy", Path(made) / "outputs.npy"
        np.save(given, samples.x)
        words = [sys.executable, "-I", measure.__file__, str(folder), name, blocked, str(given), str(out)]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            said = next(reversed(done.stderr.strip().splitlines()), f"exit code {done.returncode}")
            raise SearchStateError(f"{name}: expected files that its runtime can run, got {said}")
        measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        outputs = np.load(out)
    if outputs.shape[: samples.scored.ndim] != samples.scored.shape:
        raise SearchStateError(f"{name}: expected outputs {samples.scored.shape}, got {outputs.shape}")
    return Run(outputs, measured["seconds"], measured["steps"], measured["peak_bytes"])


def difference(outputs: np.ndarray, expected: np.ndarray, samples: Samples) -> float:
    """The largest difference of an output that is scored, as a share of the largest output that is expected."""
    here, there = outputs[samples.scored], expected[samples.scored]
    return float(np.abs(here - there).max() / max(np.abs(there).max(), np.finfo(np.float32).tiny))
