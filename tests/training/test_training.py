"""Training an epoch at a time: a killed run ends as an uninterrupted one, and something is learnt."""

import dataclasses
import json
import math
import multiprocessing
import os
import random
import resource
import time
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

from experiments.config.spec import Spec
from experiments.system.files import write_bytes, write_json
from experiments.tasks.adding import Adding
from experiments.tasks.base import DATA_SEEDS, Arrays, Task
from experiments.tasks.char_lm import CharLM
from experiments.tasks.nback import NBack
from experiments.tasks.parity import Parity
from experiments.training.adam import update_at_once
from experiments.training.scoring import Scorer
from experiments.training.training import Training, read_state, save_model, seed_sequence, with_weights
from experiments.training.windows import training_steps
from experiments.worker.build import space_arguments
from search_spaces.recipe import Recipe
from search_spaces.recurrent import RecurrentSpace
from search_spaces.scan import scanned

pytestmark = pytest.mark.usefixtures("before_fork")

EPOCHS = 4


class Letters(CharLM):
    """ "abcab" again and again, as a task that needs no file."""

    def text(self, name: str) -> str:
        return ("abcab" * 1_000)[: getattr(self, name)]


ADDING, LETTERS = Adding(length=4, train=70, val=30), Letters(window=10, train=301, val=101)


def build(task: Task, init: int = 0, rate: float = 0.02, width: int = 4, dropout: float = 0.4) -> keras.Sequential:
    """Two plain layers, the quickest to trace, with dropout between them; compiled."""
    keras.utils.set_random_seed(init)
    arguments = {"features": task.features, "tokens": task.tokens, "per_step": task.per_step, "cells": ["simple_rnn"]}
    space = RecurrentSpace(
        task.outputs, task.loss, depths=[2], widths=[width], learning_rate=[rate], dropout=[dropout], **arguments
    )
    return space.build(keras_tuner.HyperParameters())


def make(task: Task, seeds: tuple[int, int] = (3, 1), seed: int = 0, **changes: Any) -> Training:
    splits = [task.split(name, 0) for name in ("train", "val")]
    return Training(build(task, **changes), task, *splits, 16, seed, seeds)


@pytest.mark.parametrize("task", [ADDING, LETTERS], ids=["samples", "streams"])
def test_an_epoch_has_the_training_steps_that_a_schedule_counts_on(task: Task) -> None:
    longer = dataclasses.replace(task, train=2 * task.train)
    training = make(longer)
    training.run_epoch()
    assert int(training.trained.optimizer.iterations) == training_steps(longer, len(longer.split("train", 0)[0]), 16)


def test_adam_updates_each_variable_in_one_operation() -> None:
    training = make(ADDING)
    batches = training.batches.dataset
    graph = training.trained.train_function.get_concrete_function(iter(batches)).graph.as_graph_def()
    found = [node.op for function in graph.library.function for node in function.node_def]
    assert found.count("ResourceApplyAdam") == len(training.trained.trainable_variables)


def everything(training: Training) -> list[np.ndarray]:
    """All that decides how it goes on, and the model that is scored and saved."""
    inside = [*training.trained.trainable_variables, *training.trained.optimizer.variables]
    return [keras.ops.convert_to_numpy(value).copy() for value in [*inside, *training.model.trainable_variables]]


def outcome(training: Training) -> tuple[Any, ...]:
    return training.epoch, training.best, training.best_epoch, training.logs


def run(training: Training, epochs: int, checkpoint: Path | None = None) -> list[dict[str, float]]:
    """Runs epochs; a checkpoint is written after the second."""
    logs = []
    for _ in range(epochs):
        logs.append(training.run_epoch())
        training.improved()
        if checkpoint and training.epoch == 1:
            training.save(checkpoint)
    return logs


@pytest.mark.parametrize("task", [ADDING, LETTERS], ids=["samples", "streams"])
def test_a_run_that_goes_on_ends_as_the_one_that_was_never_killed(task: Task, tmp_path: Path) -> None:
    whole, checkpoint = make(task), tmp_path / "checkpoint.npz"
    logs = run(whole, EPOCHS, checkpoint)
    resumed = make(task, init=99)  # other weights to begin with
    assert not np.array_equal(everything(resumed)[0], everything(whole)[0])
    assert resumed.load(checkpoint)["epoch"] == resumed.epoch == 1
    assert resumed.logs == logs[1]
    assert np.array_equal(resumed.trained.get_weights()[0], resumed.model.get_weights()[0])
    assert run(resumed, EPOCHS - 2) == logs[2:]
    assert outcome(resumed) == outcome(whole)
    for one, other in zip(everything(resumed), everything(whole), strict=True):
        assert np.array_equal(one, other)
    assert len({each["loss"] for each in logs}) == EPOCHS


def read(batches: Any) -> Arrays:
    """All batches together."""
    x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return x, y


class Recorded(Training):
    """Notes what an epoch would train on and with which random numbers."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.rows: list[list[float]] = []
        self.masks: list[tuple[int, ...]] = []

    def _fit(self, batches: Any) -> float:
        x, y = read(batches)
        assert self.task.score(y, (x[:, :, :1] * x[:, :, 1:]).sum(axis=1)) < 1e-12, "the sum of the marked numbers"
        self.rows.append(x[:, 0, 0].tolist())
        dropouts = [layer for layer in self.trained.layers if isinstance(layer, keras.layers.Dropout)]
        self.masks.append(tuple(keras.ops.convert_to_numpy(dropouts[0].seed_generator.state).tolist()))
        return 0.5


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Scorer, "score", lambda self: 1.0)
    train, val = ADDING.split("train", 0), ADDING.split("val", 0)

    def make_one(seed: int, *seeds: int) -> Recorded:
        made = Recorded(build(ADDING), ADDING, train, val, 16, seed, seeds)
        for _ in range(2):
            made.run_epoch()
        return made

    return make_one


def test_randomness_is_of_seed_trial_execution_and_epoch_alone(recorded: Any) -> None:
    first = recorded(0, 0, 0)
    random.seed(5), np.random.seed(5), keras.utils.set_random_seed(5)
    again = recorded(0, 0, 0)
    assert (first.rows, first.masks) == (again.rows, again.masks)
    others = [recorded(*key) for key in [(1, 0, 0), (0, 1, 0), (0, 0, 1)]]
    orders = [tuple(row) for each in [first, *others] for row in each.rows]
    masks = [mask for each in [first, *others] for mask in each.masks]
    assert len(set(orders)) == len(orders) == 8
    assert len(set(masks)) == len(masks) == 8


def test_an_epoch_trains_on_every_sample_once(recorded: Any) -> None:
    x, _ = ADDING.split("train", 0)
    for rows in recorded(0, 0, 0).rows:
        assert rows != x[:, 0, 0].tolist(), "in another order"
        assert sorted(rows) == sorted(x[:, 0, 0].tolist())


def test_samples_keep_their_answers() -> None:
    seen: list[Arrays] = []

    class Watched(Training):
        def _fit(self, batches: Any) -> float:
            seen.append(read(batches))
            return math.nan

    Watched(build(ADDING), ADDING, ADDING.split("train", 0), ADDING.split("val", 0), 16, 0, (0, 0)).run_epoch()
    (x, y) = seen[0]
    assert (x[:, :, 0] * x[:, :, 1]).sum(axis=1) == pytest.approx(y[:, 0])


def test_seeds_of_training_are_apart_from_those_of_data() -> None:
    drawn = [seed_sequence(seed, *key) for seed in (0, 1) for key in [(0,), (1,), (0, 0), (0, 0, 0), (0, 1, 0)]]
    drawn += [np.random.SeedSequence(seed, spawn_key=(DATA_SEEDS, split)) for seed in (0, 1) for split in range(3)]
    states = [tuple(each.generate_state(4).tolist()) for each in drawn]
    assert len(set(states)) == len(states)


@pytest.mark.parametrize(
    "task",
    [ADDING, NBack(lag=2, scored=4, val=30), Parity(length=6, val=30)],
    ids=["one answer", "answers at every step", "padded"],
)
@pytest.mark.parametrize("compiled", [0, 1, 7, 30, 64])
def test_a_score_is_of_every_sample_whatever_is_compiled(task: Task, compiled: int) -> None:
    space = RecurrentSpace(
        **space_arguments(Spec(name="any", task="any", options={}, cells=["gru"]), task), asked="xla"
    )
    model, (x, y) = space.build(keras_tuner.HyperParameters()), task.split("val", 0)
    assert scanned(model)
    expected = task.score(y, np.asarray(model(x)))
    assert Scorer(task, model, (x, y), compiled).score() == pytest.approx(expected, rel=1e-5)


def test_a_kernel_that_is_not_compiled_scores_many_samples_at_a_time() -> None:
    splits = [ADDING.split(name, 0) for name in ("train", "val")]
    arguments = {"features": ADDING.features, "cells": ["gru"], "recipe": Recipe(bidirectional=[1])}
    sizes = []
    for asked in ("loop", "native", "xla"):
        model = RecurrentSpace(1, "mse", asked=asked, **arguments).build(keras_tuner.HyperParameters())
        sizes.append(Training(model, ADDING, *splits, 16, 0, (0, 0)).scorer.batch)
    assert sizes == [30, 30, 32], "32 are two batches of the sixteen that XLA has compiled"


def test_the_best_weights_come_back(tmp_path: Path) -> None:
    training = make(ADDING)
    training.run_epoch()
    kept, score = training.model.get_weights(), training.scorer.score()
    training.save(tmp_path / "execution0.npz")
    training.run_epoch()
    assert training.scorer.score() != score
    best = with_weights(training.model, tmp_path / "execution0.npz")
    assert all(np.array_equal(one, other) for one, other in zip(best.get_weights(), kept, strict=True))
    assert training.scorer.score() == score


@pytest.mark.parametrize("task", [ADDING, LETTERS], ids=["samples", "streams"])
def test_the_copy_that_is_trained_is_compiled_as_the_model(task: Task) -> None:
    training = make(task, rate=0.125)
    for optimizer in (training.model.optimizer, training.trained.optimizer):
        assert float(optimizer.learning_rate) == 0.125
        assert optimizer.global_clipnorm == 1.0
    assert type(training.trained.loss) is type(training.model.loss)
    assert getattr(training.trained.loss, "from_logits", None) == getattr(training.model.loss, "from_logits", None)


def test_a_checkpoint_is_one_whole_file(tmp_path: Path) -> None:
    training, path = make(ADDING), tmp_path / "checkpoint.npz"
    assert read_state(path) == {}
    training.save(path, execution=2, seconds=1.5)
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.npz"]
    state = read_state(path)
    assert (state["epoch"], state["execution"], state["seconds"]) == (-1, 2, 1.5)
    assert math.isnan(state["best"])
    training.epoch = 7
    training.save(path)
    assert read_state(path)["epoch"] == 7 and "execution" not in read_state(path)
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    training, path = make(ADDING), tmp_path / "checkpoint.npz"
    training.save(path)
    before, (soft, hard) = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    training.epoch = 7
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(OSError):
            training.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    training.save(path)
    assert read_state(path)["epoch"] == 7
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.npz"]


def write_for_ever(path: Path) -> None:
    while True:
        for byte in (b"a", b"b", b"c"):
            write_bytes(path, byte * 300_000)


def test_kill_leaves_a_whole_file(tmp_path: Path) -> None:
    path, rng = tmp_path / "file", random.Random(0)
    for _ in range(15):
        writer = multiprocessing.get_context("fork").Process(target=write_for_ever, args=(path,))
        writer.start()
        while not path.exists():
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        writer.kill()
        writer.join()
        content = path.read_bytes()
        assert len(content) == 300_000 and content == content[:1] * 300_000
        path.unlink()


def test_json_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "spec.json"
    write_json(path, {"name": "é", "seed": 0})
    assert json.loads(path.read_text("utf-8")) == {"name": "é", "seed": 0}
    assert path.read_text("utf-8").endswith("\n")

    def full(*paths: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError):
        write_json(path, {"name": "other"})
    assert json.loads(path.read_text("utf-8"))["name"] == "é"


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    make(ADDING, width=5).save(tmp_path / "checkpoint.npz")
    with pytest.raises(ValueError):
        make(ADDING).load(tmp_path / "checkpoint.npz")


def test_a_saved_model_is_whole_and_stock_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, (x, _) = tmp_path / "execution0.keras", ADDING.split("val", 0)
    first, second = build(ADDING), build(ADDING, init=1)
    save_model(first, path)
    assert [file.name for file in tmp_path.iterdir()] == ["execution0.keras"]
    loaded = keras.models.load_model(path)
    assert keras.ops.convert_to_numpy(loaded(x)) == pytest.approx(keras.ops.convert_to_numpy(first(x)), abs=1e-6)

    def torn(self: Any, place: Path) -> None:
        Path(place).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(keras.Sequential, "save", torn)
    with pytest.raises(OSError):
        save_model(second, path)
    assert keras.models.load_model(path).get_weights()[0] == pytest.approx(first.get_weights()[0])


@pytest.mark.parametrize(
    ("direction", "scores", "better"),
    [("min", [0.5, 0.6, 0.5, 0.4], [0, 3]), ("max", [0.5, 0.4, 0.5, 0.6], [0, 3]), ("min", [0.0, -1.0], [0, 1])],
)
def test_the_best_epoch_is_the_first_with_the_best_score(
    direction: str, scores: list[float], better: list[int]
) -> None:
    class Directed(Adding):
        pass

    Directed.direction = direction  # type: ignore[misc]
    training = make(Directed(**dataclasses.asdict(ADDING)))
    found = []
    for epoch, value in enumerate(scores):
        training.epoch, training.logs = epoch, {"loss": 0.1, "val_mse": value}
        if training.improved():
            found.append(epoch)
    assert found == better
    assert (training.best, training.best_epoch) == (scores[better[-1]], better[-1])


def test_a_diverged_epoch_has_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    training = make(ADDING)
    training.trained.set_weights([np.full(array.shape, np.nan) for array in training.trained.get_weights()])
    monkeypatch.setattr(Scorer, "score", lambda self: pytest.fail("scored"))
    logs = training.run_epoch()
    assert set(logs) == {"loss", "val_mse"}
    assert all(math.isnan(value) for value in logs.values())


def test_learning_to_add_beats_both_floors() -> None:
    task = Adding(length=4, train=2_000, val=500)
    training = make(task, width=12, dropout=0.0)
    logs = run(training, 4)
    assert logs[-1]["loss"] < logs[0]["loss"] / 3
    assert training.best == min(each["val_mse"] for each in logs) < task.floors()["half_memory"] / 2


def test_learning_a_pattern_beats_the_unigram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path))
    task = Letters(window=10, train=4_001, val=101)
    training = make(task, width=12, dropout=0.0)
    logs = run(training, 3)
    assert training.best < task.floors()["unigram"] / 3
    assert logs[-1]["loss"] < logs[0]["loss"] / 2


def norms(training: Training, batches: Any) -> list[float]:
    """Of each batch, by a second model with the first one's weights at every step."""
    import tensorflow as tf

    found, model = [], keras.models.clone_model(training.trained)
    model.compile_from_config(training.trained.get_compile_config())
    model.set_weights(training.trained.get_weights())
    model.optimizer.build(model.trainable_variables)
    update_at_once(model.optimizer)  # as the training, so that both have the same weights after 44 steps
    for x, y in batches:
        with tf.GradientTape() as tape:
            loss = model.loss(y, model(x, training=False))
        gradients = tape.gradient(loss, model.trainable_variables)
        found.append(float(tf.linalg.global_norm(gradients)))
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return found


@pytest.mark.parametrize("task", [ADDING, dataclasses.replace(ADDING, train=700)], ids=["5 steps", "44 steps"])
def test_gradient_norms_are_those_of_every_step(task: Task) -> None:
    training = make(task, dropout=0.0)
    batches = training.batches.dataset
    by_hand = norms(training, batches)
    training._fit(batches)
    assert training.norms.norms.numpy() == pytest.approx(by_hand, rel=1e-3)
    training.norms.clip = float(np.median(by_hand))
    summary = training.norms.summary()
    assert summary["gradient/norm_90pct"] == pytest.approx(np.quantile(by_hand, 0.9), rel=1e-3)
    assert summary["gradient/clipped"] == pytest.approx(0.5, abs=0.11)


def test_gradient_norms_leave_no_trace_in_checkpoints_and_models(tmp_path: Path) -> None:
    training = make(ADDING)
    assert len(training._variables()) == len(training.trained.trainable_variables) * 3 + 2  # Adam's, its step and rate
    training.run_epoch()
    assert all(training.logs[f"gradient/norm_{share}"] > 0 for share in ("10pct", "median", "90pct"))
    training.save(tmp_path / "weights.npz")
    save_model(with_weights(training.model, tmp_path / "weights.npz"), tmp_path / "execution0.keras")
    assert keras.models.load_model(tmp_path / "execution0.keras").optimizer.get_config()["global_clipnorm"] == 1.0


def test_norms_that_are_not_finite_are_clipped_steps() -> None:
    training = make(ADDING)
    training.norms.norms.assign([0.5, 2.0, math.inf, math.nan, 0.5])
    found = training.norms.summary()
    assert (found["gradient/norm_median"], found["gradient/clipped"]) == (0.5, 0.6)
    training.norms.norms.assign([math.nan] * 5)
    assert training.norms.summary() == {}
