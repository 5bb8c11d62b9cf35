"""A pruner's verdict is the same after a kill, wherever it came."""

from pathlib import Path
from typing import Any

import pytest
from optuna.storages import JournalStorage
from test_pruners import opened, run

from experiments.strategy.oracle import StudyOracle


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
        first.prunes(number)
    first.claimed[number].lock.release(force=True)
    second = opened(tmp_path, "halving")
    assert second.create_trial("worker0").trial_id == number
    assert second.prunes(number) and second.prunes(number)
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
        first.prunes(number)
    second = opened(tmp_path, "halving")
    assert not second.prunes(number) and not second.prunes(number)
    assert second.study.get_trials()[-1].system_attrs == {"completed_rung_0": 0.5}
