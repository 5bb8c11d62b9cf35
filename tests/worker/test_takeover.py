"""A trial that continues a pruned one is the training that would have been without pruning, also after kills."""

from pathlib import Path
from typing import Any

import pytest
from support import tuners
from support.tuners import Noting, killed, lines, make

from experiments.config.folders import TrialFolder
from experiments.strategy.oracle import StudyOracle
from experiments.training.training import Training
from experiments.worker import takeover
from experiments.worker.execution import RecurrentTuner
from tracking.journal import Journal

kill = tuners.kill  # the fixture
PRUNED_AFTER = 3


def pruning(folder: Path) -> RecurrentTuner:
    """A search whose only trial is pruned, so that another one must continue it."""
    return make(folder, Noting(last=PRUNED_AFTER), allocate="all")


def told(trial: TrialFolder) -> list[Any]:
    """The scores of a trial, epoch by epoch and at its end."""
    end = trial.journal.events()[-1]
    return [(line["epoch"], line["metrics"]) for line in lines(trial)] + [
        end["score"],
        end["model_score"],
        end["epoch"],
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("whole")
    make(folder).search()
    return told(TrialFolder(folder / "trials" / "0000"))


def check(folder: Path, whole: list[Any]) -> None:
    tuner = pruning(folder)
    first, second = (tuner.oracle.folder.trial(number) for number in (0, 1))
    assert [trial.state.name for trial in tuner.oracle.study.get_trials()] == ["PRUNED", "COMPLETE"]
    assert (first.journal.events()[-1]["outcome"], len(lines(first))) == ("pruned", PRUNED_AFTER)
    assert {event["continues"] for event in second.journal.events() if event["event"] == "start"} == {0}
    assert told(second) == whole
    assert sorted(path.name for path in first.path.iterdir()) == ["journal.jsonl", "lock"]
    assert sorted(path.name for path in second.path.iterdir()) == ["journal.jsonl", "lock", "model.keras"]


def test_it_is_the_training_that_would_have_been(tmp_path: Path, whole: list[Any]) -> None:
    tuner = pruning(tmp_path)
    tuner.search()
    check(tmp_path, whole)
    assert tuner.oracle.pruner.steps == [1, 2, 3], "the continued training is never pruned"  # type: ignore


def test_without_the_checkpoint_it_is_trained_again(tmp_path: Path, kill: Any, whole: list[Any]) -> None:
    kill(StudyOracle, "_store", lambda self, number, values, about: "continues" in about)
    killed(pruning(tmp_path)).clear()
    pruning(tmp_path).search()
    check(tmp_path, whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("owner", "name", "when"),
    [
        (StudyOracle, "_store", lambda self, number, values, about: "continues" in about),
        (Journal, "append", lambda self, event, **fields: event == "start" and "continues" in fields),
        (Journal, "append", lambda self, event, **fields: self.path.parent.name == "0001" and fields.get("epoch") == 1),
        (takeover, "link", lambda path, source: True),
        (takeover, "link", lambda path, source: path.name.startswith("checkpoint")),
        (Training, "run_epoch", lambda self: self.epoch == PRUNED_AFTER),
        (Journal, "append", lambda self, event, **fields: event == "end" and fields["outcome"] == "completed"),
        (StudyOracle, "_tell", lambda self, trial, end: end["outcome"] == "completed"),
    ],
    ids=["before", "start", "epochs", "weights", "checkpoint", "training", "end", "study"],
)
def test_killed_at_any_moment_it_goes_on(
    tmp_path: Path, kill: Any, whole: list[Any], owner: Any, name: str, when: Any
) -> None:
    kill(owner, name, when)
    killed(pruning(tmp_path))
    pruning(tmp_path).search()
    check(tmp_path, whole)


def test_a_search_of_an_earlier_version_continues_nothing(tmp_path: Path) -> None:
    tuner = make(tmp_path, Noting(last=PRUNED_AFTER))
    tuner.search()
    assert [trial.state.name for trial in tuner.oracle.study.get_trials()] == ["PRUNED"]
    assert sorted(path.name for path in tuner.oracle.folder.trial(0).path.iterdir()) == ["journal.jsonl", "lock"]
