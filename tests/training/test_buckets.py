"""Batches that are cut behind their longest sample."""

import dataclasses
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

from experiments.cli.main import main
from experiments.tasks.base import Task
from experiments.tasks.g2p import G2p
from experiments.tasks.parity import Parity
from experiments.tasks.reber import Reber
from experiments.training import buckets
from experiments.training.batches import Batches
from experiments.training.training import Training
from search_spaces.bucketed import Bucketed
from search_spaces.recurrent import RecurrentSpace

WORDS = G2p(train=70, val=20, test=20)
TASKS = [WORDS, Parity(length=12, train=70, val=20), Reber(train=70, val=20)]


def built(task: Task, dropout: float = 0.0, depth: int = 1, compiled: bool = False) -> keras.Model:
    keras.utils.set_random_seed(0)
    sides = {"source_steps": task.source_steps, "attention": ["dot"]} if task.source_steps else {}
    space = RecurrentSpace(
        outputs=task.outputs,
        loss=task.loss,
        tokens=task.tokens,
        one_hot=task.one_hot and not task.source_steps,
        padding=task.padding,
        per_step=task.per_step,
        cells=["simple_rnn"],  # is traced soonest
        depths=[depth],
        widths=[8],
        dropout=[dropout],
        asked="xla" if compiled else "loop",
        **sides,  # type: ignore[arg-type]
    )
    return space.build(keras_tuner.HyperParameters())


def training(task: Task, count: int, model: keras.Model | None = None, seed: int = 0) -> Training:
    splits = task.split("train", 0), task.split("val", 0)
    return Training(model or built(task), task, *splits, 16, seed, (0, 0), count)


def test_the_lengths_by_hand() -> None:
    x = np.array([[5, 4, 0, 1, 6, 0], [5, 0, 0, 1, 6, 7]], np.int32)
    y = np.array([[6, 2, -1], [6, 7, 2]], np.int32)  # END, 2, is scored, too
    task = dataclasses.replace(WORDS)
    object.__setattr__(task, "_most", (3, 2))
    assert buckets.sample_lengths(task, (x, y)).tolist() == [[2, 2], [1, 3]]
    x = np.array([[3, 0, 0, 0], [0, 0, 0, 0], [1, 2, 3, 4]], np.int32)
    assert buckets.sample_lengths(TASKS[1], (x, np.zeros(3, np.int32))).ravel().tolist() == [1, 1, 4]
    scored = np.array([[0, -1, 1, -1], [-1] * 4, [0] * 4])
    assert buckets.sample_lengths(TASKS[2], (x, scored)).ravel().tolist() == [3, 1, 4], "up to what is scored"


def test_the_best_buckets_by_hand() -> None:
    lengths = np.array([[2], [2], [3], [9], [9]])
    assert buckets.choose(lengths, (9,), 1) == [(9,)]
    assert buckets.choose(lengths, (9,), 2) == [(3,), (9,)]
    assert buckets.choose(lengths, (9,), 3) == buckets.choose(lengths, (9,), 8) == [(2,), (3,), (9,)]
    assert buckets.share(lengths, [(3,), (9,)]) == pytest.approx(27 / 45)
    sides = np.array([[2, 7], [2, 6], [8, 2], [8, 9]])
    assert buckets.choose(sides, (9, 9), 2) == [(2, 7), (9, 9)], "the second source fits nowhere else"
    assert buckets.choose(np.full((5, 1), 4), (4,), 10**9) == [(4,)]


def test_no_choice_is_better() -> None:
    """All choices of three buckets are tried; lengths of one side, so that every end is possible."""
    lengths = np.random.default_rng(0).geometric(0.2, (300, 1)).clip(max=14)
    best = min(buckets.share(lengths, [(a,), (b,), (14,)]) for a in range(1, 13) for b in range(a + 1, 14))
    assert buckets.share(lengths, buckets.choose(lengths, (14,), 3)) == pytest.approx(best)


def test_each_batch_has_one_bucket_as_far_as_possible() -> None:
    bucket_of = np.array([0] * 10 + [1] * 7 + [2] * 8)
    orders = [buckets.shuffled(bucket_of, 4, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert orders[0].tolist() == orders[1].tolist() != orders[2].tolist()
    assert sorted(orders[0]) == list(range(25))
    rows = [sorted(bucket_of[orders[0][start : start + 4]]) for start in range(0, 24, 4)]
    assert sorted(rows) == [[0] * 4, [0] * 4, [0, 0, 1, 1], [1] * 4, [1, 2, 2, 2], [2] * 4]
    assert bucket_of[orders[0][24]] == 2, "the last batch is the small one"


@pytest.mark.parametrize("task", TASKS, ids=["g2p", "parity", "reber"])
def test_a_cut_batch_has_the_same_outputs_and_gradients(task: Task) -> None:
    import tensorflow as tf

    arrays = task.split("train", 0)
    model = built(task, compiled=True)
    found, lengths = buckets.of(task, arrays, 4)
    assert lengths is not None and lengths.tolist() == buckets.sample_lengths(task, arrays).tolist()
    cut = Bucketed(model, found)
    assert [id(one) for one in cut.trainable_variables] == [id(one) for one in model.trainable_variables]
    rows = buckets.places(lengths, found) == 0
    x, y, needed = arrays[0][rows], arrays[1][rows], lengths[rows].max(axis=0)
    assert (needed < found[-1]).any()
    gradients = []
    for read, whole in (((x, needed), cut), (x, model)):
        with tf.GradientTape() as tape:
            outputs = whole(tf.nest.map_structure(tf.constant, read), training=True)
            loss = model.compute_loss(y=y, y_pred=outputs)
        gradients.append([outputs, loss, *tape.gradient(loss, model.trainable_variables)])
    outputs, expected = (np.asarray(one[0]) for one in gradients)
    scored = y != -1 if task.per_step else ...
    np.testing.assert_allclose(outputs[scored], expected[scored], atol=1e-5)
    for one, other in zip(*(map(tf.convert_to_tensor, part[1:]) for part in gradients), strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=1e-5)


def test_an_epoch_in_the_same_order_gives_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "shuffled", lambda bucket_of, batch, rng: rng.permutation(len(bucket_of)))
    trained = [training(WORDS, count) for count in (1, 4)]
    losses = [one.run_epoch()["loss"] for one in trained]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    for one, other in zip(*(one.model.get_weights() for one in trained), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert isinstance(trained[1].trained, Bucketed) and not isinstance(trained[0].trained, Bucketed)


def test_a_killed_training_goes_on_as_it_would_have(tmp_path: Any) -> None:
    """Dropout too has the same random numbers."""
    first, second = (training(WORDS, 4, built(WORDS, 0.3, depth=2)) for _ in range(2))
    first.run_epoch()
    first.save(tmp_path / "checkpoint")
    second.load(tmp_path / "checkpoint")
    assert first.run_epoch() == second.run_epoch()
    for one, other in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_new_samples_have_their_own_buckets() -> None:
    online = training(Parity(length=12, train=70, val=20, online=True), 3)
    before = online.buckets
    first, second = (online.run_epoch() and online.bucket_of for _ in range(2))
    assert online.buckets == before and first.tolist() != second.tolist()


def test_samples_of_one_length_are_not_cut() -> None:
    task = Parity(length=12, train=70, val=20)
    x, y = task.split("train", 0)
    assert buckets.of(task, (np.maximum(x, 1), y), 4) == buckets.of(task, (x, y), 1) == ([], None)
    assert buckets.paid_steps(task, (np.maximum(x, 1), y), 16, 4) == 5
    assert 0 < buckets.paid_steps(task, (x, y), 16, 4) < 5


def test_batches_say_how_long_they_are() -> None:
    x, y = np.zeros((5, 4), np.int32), np.zeros(5, np.int32)
    batches = Batches((x, y), 2, lengths=np.array([[1], [4], [2], [2], [3]], np.int32))
    found = [needed.numpy().tolist() for (_, needed), _ in batches.shuffled(np.array([0, 2, 3, 4, 1]))]
    assert found == [[2], [3], [4]]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["adding"], "no sample of the task is shorter than the others"),
        (["char_lm"], "no sample of the task is shorter than the others"),
        (["parity", "--cells", "ntm"], "the cell ntm is compiled as a whole"),
    ],
)
def test_buckets_where_nothing_can_be_cut(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", *words, "--buckets", "2"]) == 2
    assert capsys.readouterr().err == f"recurrent search: --buckets: expected 1, since {reason}, got 2\n"
