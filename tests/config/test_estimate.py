"""What pruners leave of a trial, by hand, and what a search costs on a machine with a known number of cores."""

import dataclasses
import math

import pytest

from experiments.config import estimate
from experiments.config.spec import Spec
from experiments.tasks.loading import find

SPEC = Spec(
    name="s",
    task="adding",
    options={},
    batch=32,
    cells=["gru"],
    depth="1",
    width="32",
    trials=30,
    kernel="xla",
    epochs=20,
    learning_rate="0.001:0.01",
)


@pytest.mark.parametrize(
    ("pruner", "epochs", "place", "expected"),
    [
        ("none", 20, 30, 20),
        ("halving", 3, 30, 3),
        ("halving", 20, 1, 20),  # it is compared with nobody
        ("halving", 20, 2, 3 + 17 / 2),  # one of two goes on from epoch 3, and it is alone at epoch 9
        ("halving", 20, 27, 3 + 6 / 3 + 11 / 9),
        ("halving", 9, 27, 3 + 6 / 3),
        ("median", 20, 5, 20),
        ("median", 20, 6, 23 / 2),
        ("hyperband", 9, 27, ((3 + 6 / 3) + 9) / 2),  # halving from epoch 3 on, and from epoch 9 on
    ],
)
def test_epochs_of_a_trial(pruner: str, epochs: int, place: int, expected: float) -> None:
    assert estimate.expected_epochs(pruner, epochs, place) == pytest.approx(expected)


def test_epochs_of_many_trials() -> None:
    each = [estimate.expected_epochs("halving", 20, place) for place in range(1, 301)]
    assert estimate.all_epochs("halving", 20, 300) == pytest.approx(sum(each), rel=1e-3)
    assert estimate.all_epochs("halving", 20, 10**12) == pytest.approx(10**12 * (3 + 6 / 3 + 11 / 9), rel=1e-3)


@pytest.mark.parametrize(
    ("pruner", "done", "expected"),
    [
        ("none", 5, 20),
        (
            "halving",
            0,
            3 + 6 / 3 + 11 / 9,
        ),  # of 81 trials one in three goes on at each look
        ("halving", 3, 3 + 6 / 3 + 11 / 9),  # the pruner has not looked yet
        ("halving", 4, 9 + 11 / 3),
        ("halving", 10, 20),
        ("median", 12, 16),
    ],
)
def test_a_trial_that_was_not_pruned_gets_more_epochs(pruner: str, done: int, expected: float) -> None:
    assert estimate.expected_epochs(pruner, 20, 81, done) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("workers", "cores", "times"), [(1, 2, 1), (2, 2, 2 / 1.3), (4, 2, 2 / 1.3), (0, 1, 1), (3, 8, 3)]
)
def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch, workers: int, cores: int, times: float) -> None:
    monkeypatch.setattr(estimate, "usable_cores", lambda: cores)
    assert estimate.parallel(workers) == pytest.approx(times)


def test_a_search_costs_what_its_trials_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "usable_cores", lambda: 8)
    task = find.make("adding", {})
    epoch = estimate.epoch_seconds(SPEC, task, 100)
    # gates x width x (features + width) weights, 3 x 2 x batch operations for each, and 1.3e-5 s for each gate
    assert epoch == pytest.approx(100 * (task.steps * (6 * 32 * 3 * 32 * (2 + 32) / 6.5e10 + 3.9e-5) + 8e-4))
    exact = dataclasses.replace(SPEC, pruner="none")
    assert estimate.search_seconds(exact, task, 100, 1, 30) == pytest.approx(6 + 30 * (1.8 + 20 * epoch))
    pruned = estimate.search_seconds(SPEC, task, 100, 1, SPEC.trials)
    assert 6 + 30 * (1.8 + 6 * epoch) < pruned < 6 + 30 * (1.8 + 10 * epoch)
    assert math.isfinite(estimate.search_seconds(SPEC, task, 100, 2, 10**9))


def test_trials_that_tpe_has_chosen_cost_the_geometric_mean() -> None:
    task = find.make("adding", {})
    widths = dataclasses.replace(SPEC, width="16,64", pruner="none", epochs=2)
    small, large = (
        estimate.epoch_seconds(dataclasses.replace(widths, width=width), task, 100) for width in ("16", "64")
    )
    drawn = 2 * (small + large) / 2  # of a trial
    chosen = 2 * math.sqrt(small * large)
    tpe = estimate.trials_seconds(widths, task, 100)
    assert tpe(10) == pytest.approx(10 * (1.8 + drawn))
    assert tpe(30) == pytest.approx(30 * 1.8 + 10 * drawn + 20 * chosen)
    random = estimate.trials_seconds(dataclasses.replace(widths, oracle="random"), task, 100)
    assert random(30) == pytest.approx(30 * (1.8 + drawn))
    every = dataclasses.replace(widths, width="16:208", learning_rate="0.01")
    mean = estimate.epoch_seconds(every, task, 100)
    first = [{"cell": "gru", "depth": 1, "width": width} for width in (208, 192)]
    for drawn in ([], first):
        all_of_13 = estimate.trials_seconds(every, task, 100, drawn)(13)
        assert all_of_13 == pytest.approx(13 * (1.8 + 2 * mean)), "the others are those that were not drawn"


def test_the_first_trials_are_known() -> None:
    task = find.make("adding", {})
    spec = dataclasses.replace(SPEC, width="16,64", pruner="none", epochs=2, oracle="random")
    drawn = [{"cell": "gru", "depth": 1, "width": 16}, {"cell": "gru", "depth": 1, "width": 64}] * 2
    small, large = (estimate.candidate_seconds(spec, values, task, 100) for values in drawn[:2])
    cost = estimate.trials_seconds(spec, task, 100, drawn)
    assert cost(1) == pytest.approx(1.8 + 2 * small)
    assert cost(3) == pytest.approx(3 * 1.8 + 2 * (2 * small + large))
    assert cost(6) == pytest.approx(6 * 1.8 + 2 * (2 * (small + large) + (small + large)))


def test_a_kernel_saves_what_its_facts_say() -> None:
    """Of a GRU at each time step, beside the loop: 1.3e-4 s by `xla`, 1.4e-4 s by `native`."""
    task = find.make("adding", {})
    xla, native, loop = (
        estimate.epoch_seconds(dataclasses.replace(SPEC, kernel=name), task, 1) for name in ("xla", "native", "loop")
    )
    assert loop - xla == pytest.approx(task.steps * 1.3e-4)
    assert loop - native == pytest.approx(task.steps * 1.4e-4)


def test_layers_that_differ() -> None:
    """A mixed candidate was taken for one whose layers all are the largest one."""
    task, spec = find.make("adding", {}), dataclasses.replace(SPEC, cells=["gru", "simple_rnn"], mixed=True)
    values = {
        "depth": 2,
        "cell_1": "gru",
        "width_1": 64,
        "cell_2": "simple_rnn",
        "width_2": 16,
        "cell": "gru+simple_rnn",
    }
    products = 6 * 32 * (3 * 64 * (2 + 64) + 16 * (64 + 16)) / 6.5e10
    expected = 100 * (task.steps * (products + 4 * 1.3e-5) + 2 * 8e-4)
    shown = {**values, "cell": "gru+simple_rnn", "width": 64}
    assert estimate.candidate_seconds(spec, shown, task, 100) == pytest.approx(expected)


def test_the_first_layer_reads_features_tokens_or_an_embedding() -> None:
    """Tokens that are read as one-hot vectors were taken for an embedding, and a search for twice as long."""
    for task, inputs in (
        (find.make("delayed_recall", {"lag": "10"}), 8 + 2),
        (find.make("word_lm", {}), 64),
    ):
        head = 32 * task.outputs if task.per_step else 0
        products = 6 * 32 * (3 * 32 * (inputs + 32) + head) / 6.5e10
        found = estimate.epoch_seconds(SPEC, task, 10_000)
        assert found == pytest.approx(10_000 * (task.steps * (products + 3.9e-5) + 8e-4)), task


def test_a_cell_without_what_the_recipe_opens_is_estimated() -> None:
    """SimpleRNN has no gate to give a bias, and GRU no identity."""
    opened = dataclasses.replace(
        SPEC, cells=["simple_rnn", "gru"], init="identity", bias="0,1,5", bidirectional="no,yes"
    )
    task = find.make("adding", {})
    for cell in ("simple_rnn", "gru"):
        values = {"cell": cell, "depth": 1, "width": 32}
        twice = dataclasses.replace(SPEC, cells=[cell], bidirectional="yes")
        found = estimate.candidate_seconds(opened, values, task, 10)
        assert found == estimate.epoch_seconds(twice, task, 10), "of the slowest one"
