"""Which trials are given up, and when: reported as a tuner reports them, decided by Optuna's pruners."""

import warnings
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
from optuna.storages import JournalStorage

from experiments.config.folders import SearchFolder
from experiments.config.spec import PRUNERS
from experiments.strategy.oracle import StudyOracle
from experiments.strategy.pruning import FIRST, pruner

EPOCHS = 12
every_pruner = pytest.mark.parametrize("name", [name for name in PRUNERS if name != "none"])


def opened(folder: Path, name: str, epochs: int = EPOCHS, direction: str = "min") -> StudyOracle:
    space, objective = keras_tuner.HyperParameters(), keras_tuner.Objective("val_mse", direction)
    space.Int("width", 1, 1000)
    return StudyOracle(SearchFolder(folder), objective, "random", 1000, 0, space, "A", pruner(name, epochs))


def run(oracle: StudyOracle, score: float, epochs: int = EPOCHS) -> int:
    """A trial that scores the same after every epoch; how many epochs it was given."""
    trial = oracle.create_trial("worker0")
    folder = oracle.claimed[trial.trial_id]
    for epoch in range(epochs):
        oracle.update_trial(trial.trial_id, {"val_mse": score}, epoch)
        if epoch + 1 < epochs and oracle.should_prune(trial.trial_id):
            folder.journal.append("end", outcome="pruned", score=None)
            break
    else:
        folder.journal.append("end", outcome="completed", score=score)
    oracle.end_trial(trial)
    return epoch + 1


@every_pruner
@pytest.mark.parametrize(("direction", "sign"), [("min", 1), ("max", -1)])
def test_the_worse_are_given_up_after_three_epochs_and_the_best_never(
    tmp_path: Path, name: str, direction: str, sign: int
) -> None:
    oracle = opened(tmp_path, name, direction=direction)
    given = [run(oracle, sign * score) for score in (5, 4, 3, 2, 1, *range(20, 40))]
    assert given[:5] == [EPOCHS] * 5, "each is the best so far"
    assert min(given[5:]) == FIRST
    assert run(oracle, sign * 0.5) == EPOCHS
    states = [trial.state.name for trial in oracle.study.get_trials()]
    assert [state == "COMPLETE" for state in states] == [epochs == EPOCHS for epochs in [*given, EPOCHS]]
    assert set(states) == {"COMPLETE", "PRUNED"}


def test_halving_lets_a_third_pass_each_rung(tmp_path: Path) -> None:
    """By hand: rungs after 3, 9 and of 40 epochs also 27; scores that get ever worse."""
    oracle = opened(tmp_path, "halving", epochs=40)
    assert [run(oracle, score, 40) for score in (1, 2, 3)] == [40, 3, 3], "a third of less than three is the best one"
    assert [run(oracle, score, 40) for score in (4, 5)] == [3, 3]
    assert run(oracle, 1.5, 40) == 9, "second of six: passes the first rung; of the two at the second one it is worse"
    assert run(oracle, 0.5, 40) == 40


@every_pruner
@pytest.mark.parametrize("epochs", [1, 2, FIRST])
def test_short_trials_are_never_given_up(tmp_path: Path, name: str, epochs: int) -> None:
    oracle = opened(tmp_path, name, epochs)
    assert [run(oracle, score, epochs) for score in range(12)] == [epochs] * 12


def test_none_gives_up_nothing(tmp_path: Path) -> None:
    oracle = opened(tmp_path, "none")
    assert [run(oracle, score) for score in range(12)] == [EPOCHS] * 12


def test_a_worker_that_is_new_decides_as_the_one_before(tmp_path: Path) -> None:
    for score in (1, 2, 3):
        run(opened(tmp_path, "halving"), score)
    assert run(opened(tmp_path, "halving"), 4) == 3


@every_pruner
def test_nothing_is_warned_of(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pruner(name, EPOCHS)


def test_an_unknown_pruner() -> None:
    with pytest.raises(ValueError, match="^pruner: expected one of none, median, halving, hyperband, got 'asha'$"):
        pruner("asha", EPOCHS)


# ---- the decision is the same after a kill, wherever it came ----


class Killed(BaseException):
    """Nobody catches it."""


def reported(oracle: StudyOracle, score: float) -> str:
    """A trial at the first rung."""
    trial = oracle.create_trial("worker0")
    for epoch in range(4):
        oracle.update_trial(trial.trial_id, {"val_mse": score}, epoch)
    return trial.trial_id


def dying(monkeypatch: pytest.MonkeyPatch, name: str, after: bool) -> None:
    """Whoever writes an attribute next dies, before or after it is on the disk."""
    write = getattr(JournalStorage, name)

    def die(*words: Any) -> None:
        monkeypatch.setattr(JournalStorage, name, write)
        if after:
            write(*words)
        raise Killed

    monkeypatch.setattr(JournalStorage, name, die)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", ["set_trial_user_attr", "set_trial_system_attr"])
def test_a_trial_is_given_up_whenever_a_kill_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, after: bool
) -> None:
    for score in (1, 2, 3):
        run(opened(tmp_path, "halving"), score)
    first = opened(tmp_path, "halving")
    number = reported(first, 4)
    dying(monkeypatch, name, after)
    with pytest.raises(Killed):
        first.should_prune(number)
    first.claimed[number].lock.release(force=True)
    second = opened(tmp_path, "halving")
    assert second.create_trial("worker0").trial_id == number
    assert second.should_prune(number) and second.should_prune(number)
    assert second.study.get_trials()[-1].system_attrs == {"completed_rung_0": 4.0}


@pytest.mark.parametrize("after", [False, True])
def test_a_trial_that_goes_on_does_so_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    for score in (1, 2, 3):
        run(opened(tmp_path, "halving"), score)
    first = opened(tmp_path, "halving")
    number = reported(first, 0.5)
    dying(monkeypatch, "set_trial_system_attr", after)
    with pytest.raises(Killed):
        first.should_prune(number)
    second = opened(tmp_path, "halving")
    assert not second.should_prune(number) and not second.should_prune(number)
    assert second.study.get_trials()[-1].system_attrs == {"completed_rung_0": 0.5}
