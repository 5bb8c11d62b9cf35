"""The cells of the kernel `native` in NumPy, in double precision and step by step, and calls of the kernels."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from search_spaces.native import ready, sequence

Array = np.ndarray
CELLS = {"gru": ("gru",), "lstm": ("lstm",), "tanh": ("simple_rnn", "TANH"), "relu": ("simple_rnn", "RELU")}
ROOT = Path(__file__).parents[2]
GATES = {"gru": 3, "lstm": 4, "tanh": 1, "relu": 1}
NONE = np.empty((0, 0), bool)


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def step(name: str, x: Array, states: list[Array], w: Array, u: Array, b: Array) -> list[Array]:
    """The states after one time step, by the equations of Keras."""
    h = states[0]
    if name == "gru":
        (of_z, of_r, of_n), (z, r, n) = np.split(x @ w + b[0], 3, 1), np.split(h @ u + b[1], 3, 1)
        z, r = sigmoid(of_z + z), sigmoid(of_r + r)
        return [z * h + (1 - z) * np.tanh(of_n + r * n)]
    found = x @ w + h @ u + b
    if name == "lstm":
        i, f, g, o = np.split(found, 4, 1)
        c = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(g)
        return [sigmoid(o) * np.tanh(c), c]
    return [np.tanh(found) if name == "tanh" else np.maximum(found, 0)]


def computed(
    name: str, x: Array, mask: Array, weights: list[Array], first: list[Array], backwards: bool
) -> tuple[Array, list[Array]]:
    """The outputs at every step and the last states."""
    states, outputs, steps = first, [], x.shape[1]
    for place in reversed(range(steps)) if backwards else range(steps):
        found = step(name, x[:, place], states, *weights)
        if mask.size:
            found = [np.where(mask[:, place, None], new, old) for new, old in zip(found, states, strict=True)]
        states = found
        outputs.append(states[0])
    return np.stack(outputs, 1), states


class Case:
    """A sequence, weights and first states of a cell, and the gradients of its results, all drawn at random."""

    def __init__(
        self, name: str, width: int, batch: int, features: int = 3, steps: int = 5, masked: bool = False, seed: int = 0
    ) -> None:
        rng, columns = np.random.default_rng(seed), GATES[name] * width
        self.name, self.cell = name, ready.cell(*CELLS[name])
        self.x = rng.normal(size=(batch, steps, features))
        bias = (2, columns) if name == "gru" else (columns,)
        spread = 0.3, 0.6 / np.sqrt(width), 0.3
        shapes = (features, columns), (width, columns), bias
        self.weights = [rng.normal(scale=scale, size=shape) for scale, shape in zip(spread, shapes, strict=True)]
        self.first = [rng.normal(size=(batch, width)) for _ in range(self.cell.states)]
        self.mask = np.arange(steps) < rng.integers(1, steps + 1, size=(batch, 1)) if masked else NONE
        self.of_outputs = rng.normal(size=(batch, steps, width))
        self.of_ends = [rng.normal(size=(batch, width)) for _ in self.first]

    def reference(self, backwards: bool = False) -> tuple[Array, list[Array]]:
        return computed(self.name, self.x, self.mask, self.weights, self.first, backwards)

    def arguments(self) -> tuple[Any, ...]:
        """What both passes of the kernel take first, in single precision."""
        return self.cell, floats(self.x), self.mask, [floats(part) for part in self.weights]

    def run(self, backwards: bool = False, of_x: bool = True) -> dict[str, list[Array]]:
        """What the kernel computes: the results, and the gradients of x, of the weights and of the first states."""
        cell, x, mask, weights = self.arguments()
        first = [floats(part) for part in self.first]
        outputs, record = sequence.forward(cell, x, mask, weights, first, True, backwards)
        given = record, floats(self.of_outputs), [floats(part) for part in self.of_ends]
        of_inputs, found = sequence.backward(cell, x, mask, weights, *given, backwards, of_x)
        rest = sequence.cut(found, [part.shape for part in (*weights, *first)])
        return {"results": [outputs, *record[-cell.states :]], "gradients": [of_inputs, *rest]}

    def loss(self, parts: list[Array], backwards: bool) -> float:
        """A number whose gradients of the results are those that the case has; `parts` as in `gradients`."""
        x, *more = parts
        outputs, ends = computed(self.name, x, self.mask, more[:3], more[3:], backwards)
        found = float((outputs * self.of_outputs).sum())
        return found + sum(float((one * other).sum()) for one, other in zip(ends, self.of_ends, strict=True))


def floats(part: Array) -> Array:
    return np.ascontiguousarray(part, np.float32)


def python(code: str, **variables: str) -> str:
    """What a new process prints that runs the code."""
    places = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    environment = {**os.environ, **places, **variables}
    words = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
