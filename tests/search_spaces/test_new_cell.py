"""A new cell is one new file: a copy of the packages with one more file in search_spaces/cells searches that cell."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.searching import COMMAND_SECONDS, environment

from search_spaces import cells

ROOT = Path(__file__).parents[2]
TOY = '''
"""Minimal gated unit (Zhou et al. 2016, arXiv:1603.09420): a single gate f forgets and updates.

f = sigmoid(x[t] W + h[t-1] U + b); n = tanh(x[t] V + (f h[t-1]) R + c); h[t] = (1 - f) h[t-1] + f n.
"""

import functools

from search_spaces.cells import Facts

FACTS = Facts(gates=2)


def layer(width, return_sequences, name, kernel="loop"):
    import keras

    return keras.layers.RNN(_cell()(width), return_sequences=return_sequences, name=name)


@functools.cache
def _cell():
    import keras
    from keras import ops

    @keras.saving.register_keras_serializable("toy")
    class MinimalCell(keras.layers.Layer):
        def __init__(self, units, **more):
            super().__init__(**more)
            self.units = self.state_size = units

        def build(self, shape):
            self.kernel = self.add_weight((shape[-1], 2 * self.units), name="kernel")
            self.recurrent_kernel = self.add_weight((self.units, 2 * self.units), "orthogonal", name="recurrent_kernel")
            self.bias = self.add_weight((2 * self.units,), "zeros", name="bias")

        def call(self, x, states, training=False):
            (h,) = states
            of_f, of_n = ops.split(ops.matmul(x, self.kernel) + self.bias, 2, axis=-1)
            u, r = ops.split(self.recurrent_kernel, 2, axis=-1)
            f = ops.sigmoid(of_f + ops.matmul(h, u))
            h = (1 - f) * h + f * ops.tanh(of_n + ops.matmul(f * h, r))
            return h, [h]

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return MinimalCell
'''
SEARCH = (
    *("search", "adding", "-o", "length=5", "-o", "train=32", "-o", "val=32", "-o", "test=32"),
    *("--depth", "1:2", "--width", "4,8", "--batch", "16", "--trials", "2", "--epochs", "1", "--workers", "1"),
    *("--name", "new", "--cells", "toy"),
)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the three packages and the new cell."""
    folder = tmp_path_factory.mktemp("packages")
    for name in ("experiments", "search_spaces", "tracking"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "search_spaces" / "cells" / "toy.py").write_text(TOY, encoding="utf-8")
    return folder


def recurrent(packages: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`recurrent WORDS` of the copied packages."""
    env = {**environment(packages), "PYTHONPATH": str(packages)}
    command = [sys.executable, "-m", "experiments", *words]
    return subprocess.run(
        command, cwd=packages, env=env, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )


def test_it_is_searched(packages: Path) -> None:
    done = recurrent(packages, *SEARCH)
    assert (done.returncode, done.stderr) == (0, "")
    assert "new: adding, toy; space:" in done.stdout and "the search has ended: " in done.stdout
    trials = json.loads(recurrent(packages, "results", "new", "--json").stdout)["trials"]
    assert [(trial["values"]["cell"], trial["kernel"]) for trial in trials] == [("toy", "loop")] * 2
    assert all(math.isfinite(trial["score"]) for trial in trials)


def test_it_is_offered(packages: Path) -> None:
    offered = " ".join(recurrent(packages, "search", "--help").stdout.split())
    every = ",".join(sorted([*cells.searched(), "toy"], key=lambda name: (name != "simple_rnn", name)))
    assert f"cells to choose from (default: all: {every}; ntm only if named)" in offered


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--init", "orthogonal"), "--init: expected one of default for toy, got 'orthogonal'"),
        (("--bias", "1"), "--bias: expected a cell that has it, lstm or gru, got 'toy'"),
    ],
)
def test_what_it_does_not_have_is_refused(packages: Path, words: tuple[str, ...], line: str) -> None:
    done = recurrent(packages, *SEARCH, "--name", "refused", *words)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"recurrent search: {line}\n")


def test_it_has_no_kernel_to_measure(packages: Path) -> None:
    done = recurrent(packages, "kernels", "--cells", "toy")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("recurrent kernels: --cells: expected some of simple_rnn, gru, lstm, which have ")
