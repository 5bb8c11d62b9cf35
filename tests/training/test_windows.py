"""A long sequence as streams and windows, and state that is carried from window to window."""

from typing import Any

import keras
import numpy as np
import pytest

from experiments.tasks.adding import Adding
from experiments.tasks.char_lm import CharLM
from experiments.training.scoring import Scorer
from experiments.training.training import Training
from experiments.training.windows import check, rows, streams, windows
from search_spaces.recurrent import RecurrentSpace
from search_spaces.streams import carrying, copy_weights, reset

SYMBOLS = 5


class Text(CharLM):
    """Five symbols, as a task that needs no text."""

    @property
    def tokens(self) -> int:
        return SYMBOLS


def ids(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    whole = np.random.default_rng(seed).integers(0, SYMBOLS, count + 1).astype(np.int32)
    return whole[:-1], whole[1:]


def model(cells: list[str], learning_rate: float = 0.0, dropout: float = 0.0) -> keras.Sequential:
    """Compiled, of width 3, with weights so large that the state matters."""
    keras.utils.set_random_seed(1)
    space = RecurrentSpace(SYMBOLS, "categorical", tokens=SYMBOLS, per_step=True)
    made = space.stack([(cell, 3) for cell in cells], dropout)
    rng = np.random.default_rng(3)
    made.set_weights([rng.normal(0, 1, array.shape) for array in made.get_weights()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(keras.optimizers.Adam(learning_rate, global_clipnorm=1.0), loss)
    return made


def states(carrier: keras.Sequential) -> list[np.ndarray]:
    recurrent = [layer for layer in carrier.layers if isinstance(layer, keras.layers.RNN)]
    return [keras.ops.convert_to_numpy(state).copy() for layer in recurrent for state in layer.states]


class Plain:
    """A plain recurrent network in NumPy, a step at a time."""

    def __init__(self, weights: list[np.ndarray], count: int) -> None:
        weights = [array.astype(np.float64) for array in weights]
        self.embedding, self.kernel, self.recurrent, self.bias, self.head, self.head_bias = weights
        self.state = np.zeros((count, len(self.recurrent)))

    def read(self, x: np.ndarray) -> np.ndarray:
        """Logits (streams, time, symbols)."""
        logits = []
        for symbols in x.T:
            inputs = self.embedding[symbols] @ self.kernel
            self.state = np.tanh(inputs + self.state @ self.recurrent + self.bias)
            logits.append(self.state @ self.head + self.head_bias)
        return np.stack(logits, axis=1)


def nats(logits: np.ndarray, y: np.ndarray) -> float:
    chances = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return float(-np.log(np.take_along_axis(chances, y[:, :, None], axis=-1)).mean())


def test_streams_are_contiguous() -> None:
    x, y = streams((np.arange(11), np.arange(1, 12)), 3)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]  # 9 and 10 fill no stream of three
    assert y.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert streams((np.arange(4), np.arange(4)), 1)[0].tolist() == [[0, 1, 2, 3]]
    assert streams((np.arange(4), np.arange(4)), 4)[0].tolist() == [[0], [1], [2], [3]]


def test_windows_of_all_streams_come_in_turn() -> None:
    rows = windows(np.array([[0, 1, 2, 3, 4, 5, 6], [10, 11, 12, 13, 14, 15, 16]]), 2)
    assert rows.tolist() == [[0, 1], [10, 11], [2, 3], [12, 13], [4, 5], [14, 15]]
    assert windows(np.arange(6).reshape(2, 3), 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert windows(np.arange(6).reshape(1, 6), 2).tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(("length", "batch", "window"), [(1_000, 7, 8), (1_000, 1, 64), (64, 4, 16), (333, 5, 2)])
def test_row_i_of_a_batch_goes_on_where_it_ended(length: int, batch: int, window: int) -> None:
    x, y = ids(length)
    place = np.arange(length)
    rows = windows(streams((place, place), batch)[0], window)
    assert len(rows) % batch == 0
    batches = rows.reshape(-1, batch, window)
    assert (batches[1:, :, 0] == batches[:-1, :, -1] + 1).all()
    assert (np.diff(rows, axis=1) == 1).all()
    assert len(np.unique(rows)) == rows.size, "nothing is read twice"
    assert rows.size > length - batch * (window + 1), "less than a window of each stream is left out"
    assert np.array_equal(windows(streams((x, y), batch)[1], window), y[rows])


@pytest.mark.parametrize(("steps", "count", "window"), [(1, 1, 512), (500, 1, 512), (46_556, 16, 512), (17, 4, 2)])
def test_a_split_is_read_in_rows_that_go_on_with_each_other(steps: int, count: int, window: int) -> None:
    x, y = ids(steps)
    found = rows((x, y), count, window)
    assert found.x.shape == found.y.shape == found.real.shape and len(found.x) == count
    assert np.array_equal(found.x.ravel()[:steps], x) and np.array_equal(found.y.ravel()[:steps], y)
    assert found.real.ravel()[:steps].all() and not found.real.ravel()[steps:].any()
    parts = list(found.windows())
    assert len({part.shape for triple in parts for part in triple}) == 1, "one shape: the model is traced once"
    assert np.array_equal(np.concatenate([part[0] for part in parts], axis=1), found.x)


def test_a_cell_that_never_forgets_is_scored_exactly() -> None:
    """h[t] = h[t-1] + x[t], the state of a row depends on every row before it."""
    carrier = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(2, 1, weights=[np.array([[-0.001], [0.001]])]),
            keras.layers.SimpleRNN(1, activation="linear", return_sequences=True),
            keras.layers.Dense(2),
        ]
    )
    carrier.set_weights([np.array(w, np.float32) for w in ([[-0.001], [0.001]], [[1]], [[1]], [0], [[1, -1]], [0, 0])])
    x = np.random.default_rng(0).integers(0, 2, 9_000).astype(np.int32)
    total = np.cumsum(np.where(x[:-1] == 1, 0.001, -0.001))
    logits = np.stack([total, -total], axis=1)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -np.mean(np.log2(chances[np.arange(8_999), x[1:]]))
    assert Scorer(Text(), carrier, (x[:-1], x[1:])).score() == pytest.approx(expected, abs=1e-5)


def test_too_few_characters_to_train_on() -> None:
    task, val = Text(window=10), ids(5)
    check(task, ids(80), val, 8)
    line = (
        "batch, window: expected at least batch x window = 80 characters to train on, got 79;"
        " take a smaller --batch, a smaller -o window or a longer text"
    )
    with pytest.raises(ValueError) as caught:
        check(task, ids(79), val, 8)
    assert str(caught.value) == line
    assert windows(streams(ids(80), 8)[0], 10).shape == (8, 10), "just enough is one window of each stream"


def test_nothing_to_score() -> None:
    with pytest.raises(ValueError, match=r"^val: expected at least 2 characters to score, got fewer$"):
        check(Text(window=10), ids(80), ids(0), 8)
    check(Text(window=10), ids(80), ids(1), 8)


def test_samples_are_never_too_few() -> None:
    task = Adding(train=1, val=1)
    check(task, task.split("train", 0), task.split("val", 0), 64)


@pytest.mark.parametrize("cells", [["simple_rnn"], ["lstm", "gru"]])
def test_a_carrying_copy_reads_windows_as_one_long_sequence(cells: list[str]) -> None:
    original = model(cells)
    x, _ = streams(ids(60), 3)
    carrier = carrying(original, 3, None)
    whole = np.array(original(x))
    for _ in range(2):
        reset(carrier)
        parts = [np.array(carrier(x[:, start : start + 5])) for start in range(0, 20, 5)]
        assert np.concatenate(parts, axis=1) == pytest.approx(whole, abs=1e-5)
        assert any(state.any() for state in states(carrier))
    assert np.array(carrier(x[:, :5])) != pytest.approx(whole[:, :5], abs=1e-3), "without reset it goes on"
    reset(carrier)
    assert not any(state.any() for state in states(carrier))
    assert len(states(carrier)) == {"simple_rnn": 1, "lstm": 3}[cells[0]]


def test_a_copy_is_compiled_as_its_model_and_shares_nothing() -> None:
    original = model(["lstm", "gru"], 0.25, 0.5)
    carrier = carrying(original, 4, 6)
    assert carrier.input_shape == (4, 6) and original.input_shape == (None, None)
    assert [layer.name for layer in carrier.layers] == [layer.name for layer in original.layers]
    assert float(carrier.optimizer.learning_rate) == 0.25
    assert carrier.optimizer.global_clipnorm == 1.0
    assert carrier.optimizer is not original.optimizer
    assert carrier.loss.from_logits is True
    assert [layer.rate for layer in carrier.layers if isinstance(layer, keras.layers.Dropout)] == [0.5]
    before = original.get_weights()
    for variable in carrier.trainable_variables:
        variable.assign(variable + 1)
    assert all(np.array_equal(one, other) for one, other in zip(before, original.get_weights(), strict=True))
    copy_weights(carrier, original)
    assert all(np.array_equal(one + 1, other) for one, other in zip(before, original.get_weights(), strict=True))
    assert not original.layers[1].stateful and carrier.layers[1].stateful


def test_a_copy_for_one_stream_of_features() -> None:
    plain = RecurrentSpace(2, "mse", features=3, per_step=True).stack([("gru", 4)], 0.0)
    carrier = carrying(plain, 1, None)
    x = np.random.default_rng(0).normal(size=(1, 9, 3)).astype(np.float32)
    parts = [np.array(carrier(x[:, step : step + 1])) for step in range(9)]
    assert np.concatenate(parts, axis=1) == pytest.approx(np.array(plain(x)), abs=1e-5)


def test_training_on_windows_sees_the_states_of_one_long_pass() -> None:
    original = model(["simple_rnn"])  # learning rate 0: the weights stay
    x, y = streams(ids(63), 3)
    carrier, plain = carrying(original, 3, None), Plain(original.get_weights(), 3)
    for start in range(0, 20, 5):
        logits = plain.read(x[:, start : start + 5])
        loss = carrier.train_on_batch(x[:, start : start + 5], y[:, start : start + 5])
        assert float(loss) == pytest.approx(nats(logits, y[:, start : start + 5]), abs=1e-5)
        carrier.reset_metrics()
        assert states(carrier)[0] == pytest.approx(plain.state, abs=1e-5)


def test_an_epoch_reads_every_stream_from_zero_state_to_its_last_window() -> None:
    original = model(["simple_rnn"])
    task, train = Text(window=8), ids(203)
    training = Training(original, task, train, ids(40, 1), 3, 0, (0, 0))
    x, y = (part[:, :64] for part in streams(train, 3))  # 67 characters each; the last 3 fill no window
    plain = Plain(original.get_weights(), 3)
    expected = nats(plain.read(x), y)
    dropped = nats(np.concatenate([Plain(original.get_weights(), 3).read(part) for part in np.split(x, 8, 1)], 1), y)
    assert abs(expected - dropped) > 1e-3
    for _ in range(2):
        assert training.run_epoch()["loss"] == pytest.approx(expected, abs=1e-5)
        assert states(training.trained)[0] == pytest.approx(plain.state, abs=1e-5)


def test_scoring_leaves_the_training_state_untouched() -> None:
    task, train, val = Text(window=8), ids(203), ids(40, 1)

    def run(scoring: bool) -> tuple[float, list[np.ndarray]]:
        training = Training(model(["lstm"], 0.01), task, train, val, 3, 0, (0, 0))
        x, y = (windows(part, 8) for part in streams(train, 3))
        scores = set()
        for start in range(0, len(x), 3):
            training.trained.fit(x[start : start + 3], y[start : start + 3], 3, shuffle=False, verbose=0)
            if scoring:
                scores.update(training.scorer.score() for _ in range(2))
        assert len(scores) == scoring, "the same from zero state every time"
        return float(training.trained.evaluate(x[:3], y[:3], batch_size=3, verbose=0)), states(training.trained)

    undisturbed, disturbed = run(False), run(True)
    assert undisturbed[0] == disturbed[0]
    for one, other in zip(undisturbed[1], disturbed[1], strict=True):
        assert one.any() and np.array_equal(one, other)


def test_the_score_of_an_epoch_is_of_the_weights_after_it() -> None:
    task, val = Text(window=8), ids(40, 1)
    training = Training(model(["simple_rnn"], 0.05), task, ids(203), val, 3, 0, (0, 0))
    before = training.model.get_weights()
    logs: dict[str, Any] = training.run_epoch()
    assert any(not np.array_equal(one, other) for one, other in zip(before, training.model.get_weights(), strict=True))
    logits = Plain(training.trained.get_weights()[:6], 1).read(val[0][None])
    assert logs["val_bits_per_character"] == pytest.approx(nats(logits, val[1][None]) / np.log(2), abs=1e-5)
