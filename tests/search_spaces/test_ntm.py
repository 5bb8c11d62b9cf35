"""The Neural Turing machine against the paper's equations, written down row by row in NumPy."""

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from search_spaces.ntm import NTMCell, addressed, written

ROWS, COLUMNS, UNITS = 5, 3, 4
RNG = np.random.default_rng(0)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def softplus(x: float) -> float:
    return math.log(1 + math.exp(x))


def cosine(u: np.ndarray, v: np.ndarray) -> float:
    return float(u @ v) / (math.sqrt(float(u @ u)) * math.sqrt(float(v @ v)))


def address(
    memory: np.ndarray, last: np.ndarray, key: np.ndarray, beta: float, gate: float, shift: np.ndarray, gamma: float
) -> np.ndarray:
    """Equations 5 to 9 of the paper, for one sequence; the arguments are what the paper asks for, in its ranges."""
    scores = [math.exp(beta * cosine(key, memory[row])) for row in range(len(memory))]
    content = [score / sum(scores) for score in scores]
    gated = [gate * content[row] + (1 - gate) * last[row] for row in range(len(memory))]
    shifted = []
    for row in range(len(memory)):
        of_shift = {0: shift[1], 1: shift[2], len(memory) - 1: shift[0]}  # s(-1) stands at the end of the circle
        shifted.append(
            sum(gated[other] * of_shift.get((row - other) % len(memory), 0.0) for other in range(len(memory)))
        )
    powers = [one**gamma for one in shifted]
    return np.array([power / sum(powers) for power in powers])


def said(size: int) -> np.ndarray:
    """What a controller says: numbers of any size, of two sequences."""
    return RNG.normal(0, 2, (2, size)).astype(np.float32)


def test_a_head_is_addressed_as_in_the_paper() -> None:
    memory = RNG.normal(size=(2, ROWS, COLUMNS)).astype(np.float32)
    last = RNG.dirichlet(np.ones(ROWS), 2).astype(np.float32)
    key, strength, gate, shifts, sharpness = said(COLUMNS), said(1), said(1), said(3), said(1)
    found = np.asarray(addressed(memory, last, key, strength, gate, shifts, sharpness))
    for one in range(2):
        shares = np.exp(shifts[one]) / np.exp(shifts[one]).sum()
        how = softplus(strength[one, 0]), sigmoid(gate[one, 0]), shares, 1 + softplus(sharpness[one, 0])
        wanted = address(memory[one], last[one], np.tanh(key[one]), *how)
        assert found[one] == pytest.approx(wanted, abs=1e-5)
    assert found.sum(axis=1) == pytest.approx([1, 1], abs=1e-6)


@pytest.mark.parametrize(("shift", "row"), [(-1, 4), (0, 0), (1, 1)])
def test_a_closed_gate_and_a_sure_shift_move_the_weights_by_one_row(shift: int, row: int) -> None:
    last, sure = np.eye(ROWS, dtype=np.float32)[:1], np.where(np.arange(-1, 2) == shift, 50.0, -50.0)[None]
    memory, one = np.ones((1, ROWS, COLUMNS), np.float32), np.ones((1, 1), np.float32)
    found = np.asarray(addressed(memory, last, one.repeat(COLUMNS, 1), one, -50 * one, sure.astype(np.float32), one))
    assert found[0] == pytest.approx(np.eye(ROWS)[row], abs=1e-5)


def test_a_strong_key_finds_its_row() -> None:
    memory = np.eye(3, dtype=np.float32)[None] * 0.9
    one, flat = np.ones((1, 1), np.float32), np.array([[-50, 50, -50]], np.float32)
    key = np.array([[0, 5, 0]], np.float32)
    found = np.asarray(addressed(memory, np.full((1, 3), 1 / 3, np.float32), key, 50 * one, 50 * one, flat, one))
    assert found[0] == pytest.approx([0, 1, 0], abs=1e-5)


@pytest.mark.parametrize("sharpness", [0.0, 50.0, 1e4])
def test_a_sharp_head_on_rows_that_are_all_alike_is_finite(sharpness: float) -> None:
    """128 equal weights to the power of 50 are 0 in 32 bits."""
    rows = 128
    zeros = np.zeros((1, 3), np.float32)
    gamma = tf.constant([[sharpness]])
    with tf.GradientTape() as tape:
        tape.watch(gamma)
        last = np.full((1, rows), 1 / rows, np.float32)
        found = addressed(np.zeros((1, rows, 3), np.float32), last, zeros, zeros[:, :1], zeros[:, :1], zeros, gamma)
        size = tf.reduce_sum(found**2)
    assert np.asarray(found) == pytest.approx(np.full((1, rows), 1 / rows))
    assert np.isfinite(np.asarray(tape.gradient(size, gamma))).all()


def test_a_row_loses_and_gets_by_its_weight() -> None:
    memory, weights = np.ones((1, 2, 2), np.float32), np.array([[1, 0.5]], np.float32)
    erased, added = np.array([[1, 0]], np.float32), np.array([[0.25, 1]], np.float32)
    assert np.asarray(written(memory, weights, erased, added))[0].tolist() == [[0.25, 2], [0.625, 1.5]]


def machine(x: np.ndarray, weights: dict[str, np.ndarray], controller: str) -> np.ndarray:
    """The outputs `(time, units + columns)` of the whole machine on one sequence."""
    first = np.exp(weights["first_weights"])
    read, write = first / first.sum(axis=1, keepdims=True)
    memory, seen = np.full((ROWS, COLUMNS), 1e-6), np.tanh(weights["first_read"][0])
    h, c = np.zeros(UNITS), np.zeros(UNITS)
    outputs = []
    for step in x:
        z = step @ weights["kernel"] + seen @ weights["read_kernel"] + weights["bias"]
        if controller == "lstm":
            i, f, g, o = np.split(z + h @ weights["recurrent_kernel"], 4)
            c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            h = np.tanh(z)
        of_heads = h @ weights["head_kernel"] + weights["head_bias"]
        size, heads = COLUMNS + 6, []
        for start in (0, size):
            key, (beta, gate), shift, gamma = np.split(
                of_heads[start : start + size], [COLUMNS, COLUMNS + 2, COLUMNS + 5]
            )
            shares = np.exp(shift) / np.exp(shift).sum()
            heads.append((np.tanh(key), softplus(beta), sigmoid(gate), shares, 1 + softplus(gamma[0])))
        erase, add = sigmoid(of_heads[2 * size : 2 * size + COLUMNS]), np.tanh(of_heads[2 * size + COLUMNS :])
        read, write = address(memory, read, *heads[0]), address(memory, write, *heads[1])
        seen = sum(read[row] * memory[row] for row in range(ROWS))
        memory = np.array([memory[row] * (1 - write[row] * erase) + write[row] * add for row in range(ROWS)])
        outputs.append(np.concatenate([h, seen]))
    return np.array(outputs)


@pytest.mark.parametrize("controller", ["feed-forward", "lstm"])
def test_the_whole_machine_is_that_of_the_paper(controller: str) -> None:
    layer = keras.layers.RNN(NTMCell(UNITS, ROWS, COLUMNS, controller), return_sequences=True)
    x = RNG.normal(size=(2, 9, 2)).astype(np.float32)
    layer(x)
    layer.set_weights([RNG.normal(0, 0.7, one.shape) for one in layer.get_weights()])
    weights = {one.name: np.asarray(one, np.float64) for one in layer.weights}
    found = np.asarray(layer(x))
    for one in range(2):
        assert found[one] == pytest.approx(machine(x[one], weights, controller), abs=2e-4)


def test_rows_differ_after_the_first_step() -> None:
    """Equal weights of all rows would keep all rows equal; so the heads begin at row 0."""
    cell = NTMCell(UNITS, ROWS, COLUMNS)
    cell.build((1, 2))
    memory, read, write, *_ = cell.get_initial_state(1)
    assert np.asarray(read)[0, 0] > 0.99 and np.asarray(write)[0, 0] > 0.99
    _, (after, *_) = cell(np.ones((1, 2), np.float32), [memory, read, write, np.zeros((1, COLUMNS), np.float32)])
    rows = np.asarray(after).reshape(ROWS, COLUMNS)
    assert np.abs(rows - rows[:1]).max() > 1e-3


def test_it_is_saved_and_loaded(tmp_path: Any) -> None:
    cell = NTMCell(UNITS, ROWS, COLUMNS, "lstm")
    model = keras.Sequential([keras.Input((None, 2)), keras.layers.RNN(cell, return_sequences=True)])
    model.save(tmp_path / "model.keras")
    x = RNG.normal(size=(1, 4, 2)).astype(np.float32)
    assert np.array_equal(keras.models.load_model(tmp_path / "model.keras")(x), model(x))
