"""A trial that was killed goes on with the kernel that it began with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import tuners
from support.tuners import EPOCHS, killed, lines, make

from experiments.training.training import Training
from search_spaces.native import check

kill = tuners.kill  # the fixture


def gone_on(folder: Path, kill: Any, first: str, between: Callable[[], None] = lambda: None) -> list[tuple[str, str]]:
    """The kernels and reasons of a trial that began with a kernel and goes on after a kill, where all are allowed."""
    kill(Training, "run_epoch", lambda self: self.epoch == 1)
    tuner = make(folder)
    tuner.hypermodel.asked = first
    trial = killed(tuner)
    between()
    make(folder).search()
    assert [line["epoch"] for line in lines(trial)] == list(range(EPOCHS))
    built = [event for event in trial.journal.events() if event["event"] == "built"]
    return [(event["kernel"], event["kernel_reason"]) for event in built]


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("first", ["loop", "native"])
def test_it_is_kept_with_its_reason(tmp_path: Path, kill: Any, first: str) -> None:
    before, after = gone_on(tmp_path, kill, first)
    assert before == after and after[0] == first


@pytest.mark.usefixtures("untraced")
def test_where_it_cannot_be_the_reason_says_so(tmp_path: Path, kill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose() -> None:
        monkeypatch.setattr(check, "trouble", lambda: "Numba is not installed")

    (before, _), (after, reason) = gone_on(tmp_path, kill, "native", lose)
    assert (before, after) == ("native", "loop")
    assert reason.startswith("the trial began with native, which cannot go on: Numba is not installed; compiling takes")
