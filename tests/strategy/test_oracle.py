"""The oracle whose memory is on disk: trials given, lost, given again, told, and never twice."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
from keras_tuner.engine.trial import Trial
from optuna.trial import TrialState

from experiments.config.folders import SearchFolder, TrialFolder, try_acquire
from experiments.engines.local import LocalEngine
from experiments.launcher.crew import Crew
from experiments.launcher.supervise import Supervisor
from experiments.strategy.deaths import DEATHS, deaths
from experiments.strategy.oracle import StudyOracle
from experiments.worker.tuner import SearchTuner
from tracking.errors import SearchStateError
from tracking.journal import Journal

pytestmark = pytest.mark.usefixtures("before_fork")

OBJECTIVE = keras_tuner.Objective("val_mse", "min")


class Space(keras_tuner.HyperModel):
    def declare_hyperparameters(self, hp: keras_tuner.HyperParameters) -> None:
        hp.Choice("cell", ["lstm", "gru"])
        hp.Int("width", 1, 50)
        hp.Fixed("depth", 1)


def declared() -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    Space().declare_hyperparameters(hp)
    return hp


Opened = Callable[..., StudyOracle]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Opens the study of this test as a new worker does."""

    def open_one(session: str = "A", max_trials: int = 5, seed: int = 0, **changes: Any) -> StudyOracle:
        arguments = {"objective": OBJECTIVE, "strategy": "random", "hyperparameters": declared(), **changes}
        return StudyOracle(SearchFolder(tmp_path), max_trials=max_trials, seed=seed, session=session, **arguments)

    return open_one


def journal(oracle: StudyOracle, trial: Trial) -> Journal:
    return oracle.claimed[trial.trial_id].journal


def finish(oracle: StudyOracle, trial: Trial, score: float | None) -> None:
    """As a tuner does: the journal first, then the oracle."""
    outcome = "failed" if score is None else "completed"
    journal(oracle, trial).append("end", outcome=outcome, score=score)
    oracle.end_trial(trial)


def die(oracle: StudyOracle) -> None:
    """What is left of a killed worker: the system lets go of its locks."""
    for folder in oracle.claimed.values():
        folder.lock.release(force=True)


def states(oracle: StudyOracle) -> list[str]:
    return [trial.state.name for trial in oracle.study.get_trials()]


def events(folder: Path) -> list[str]:
    return [event["event"] for event in Journal(folder / "journal.jsonl").events()]


def test_a_trial_from_its_creation_to_its_end(opened: Opened, tmp_path: Path) -> None:
    oracle = opened()
    trial = oracle.create_trial("worker0")
    assert (trial.trial_id, trial.status) == ("0000", "RUNNING")
    assert set(trial.hyperparameters.values) == {"cell", "width", "depth"}
    assert states(oracle) == ["RUNNING"]
    assert not try_acquire(SearchFolder(tmp_path).trial(0).lock), "held while it runs"
    assert oracle.create_trial("worker0") is trial, "the same until it ends"
    oracle.update_trial("0000", {"val_mse": 0.5, "loss": 0.1}, 0)
    oracle.update_trial("0000", {"val_mse": 0.25}, 1)
    held = oracle.claimed["0000"].lock
    finish(oracle, trial, 0.25)
    assert not held.is_locked
    (frozen,) = oracle.study.get_trials()
    assert (frozen.number, frozen.state, frozen.value) == (0, TrialState.COMPLETE, 0.25)
    assert frozen.intermediate_values == {1: 0.5, 2: 0.25}
    assert frozen.params == trial.hyperparameters.values
    assert trial.score == 0.25
    folder = SearchFolder(tmp_path).trial(0)
    assert try_acquire(folder.lock), "let go of"
    folder.lock.release()
    assert oracle.create_trial("worker0").trial_id == "0001"


def nobody(search: SearchFolder) -> str:
    """A launcher without workers; returns why it has ended."""
    return Supervisor(search, 0, Crew(LocalEngine(search))).run(lambda session: None, lambda: None)


@pytest.mark.parametrize(("outcome", "state"), [("completed", "COMPLETE"), ("failed", "FAIL"), ("pruned", "PRUNED")])
def test_an_end_that_a_kill_kept_from_the_study_is_told_by_the_launcher(
    opened: Opened, tmp_path: Path, outcome: str, state: str
) -> None:
    """All trials have ended: no worker starts that would."""
    oracle = opened()
    for number in range(2):
        oracle.create_trial(f"worker{number}")
    trial = oracle.claimed["0000"]
    trial.checkpoint.touch()
    trial.journal.append("end", outcome=outcome, score=0.5 if outcome == "completed" else None)
    die(oracle)
    for _ in range(2):
        assert nobody(SearchFolder(tmp_path)) == "done"
        assert states(opened()) == [state, "RUNNING"], "the other one was lost, and goes on one day"
    assert opened().study.get_trials()[0].value == (0.5 if outcome == "completed" else None)
    assert not trial.checkpoint.exists()


def test_a_search_without_a_study_has_nothing_to_tell(tmp_path: Path) -> None:
    search = SearchFolder(tmp_path)
    assert nobody(search) == "done"
    search.study.touch()
    assert nobody(search) == "done"


def test_a_step_is_reported_once(opened: Opened) -> None:
    oracle = opened()
    trial = oracle.create_trial("worker0")
    for value in (0.5, 0.75):
        assert oracle.update_trial(trial.trial_id, {"val_mse": value}, 0) is trial
    oracle.update_trial(trial.trial_id, {"loss": 0.1}, 1)
    assert oracle.study.get_trials()[0].intermediate_values == {1: 0.5}


def test_a_failed_trial_has_no_score(opened: Opened) -> None:
    oracle = opened()
    trial = oracle.create_trial("worker0")
    finish(oracle, trial, None)
    assert trial.score is None
    assert [(frozen.state.name, frozen.value) for frozen in oracle.study.get_trials()] == [("FAIL", None)]
    assert oracle.create_trial("worker0").trial_id == "0001", "it is not tried again"


def test_no_more_than_max_trials(opened: Opened) -> None:
    oracle = opened(max_trials=2)
    assert oracle.remaining_trials() == 2
    oracle.create_trial("worker0"), oracle.create_trial("worker1")
    assert oracle.remaining_trials() == 0
    assert oracle.create_trial("worker2").status == "STOPPED"
    assert opened(max_trials=2).create_trial("worker0").status == "STOPPED", "running ones count"
    assert len(states(oracle)) == 2


def test_max_trials_may_be_raised_later(opened: Opened) -> None:
    first = opened(max_trials=2)
    for _ in range(2):
        finish(first, first.create_trial("worker0"), 0.5)
    assert first.create_trial("worker0").status == "STOPPED"
    second = opened(max_trials=3)
    assert second.remaining_trials() == 1
    assert second.create_trial("worker0").trial_id == "0002"
    assert second.create_trial("worker1").status == "STOPPED"


def test_it_ends_when_the_space_has_no_more_points(opened: Opened) -> None:
    hp = keras_tuner.HyperParameters()
    hp.Choice("width", [1, 2, 3])
    for strategy in ("grid", "random", "tpe"):
        oracle = opened(max_trials=9, strategy=strategy, hyperparameters=hp)
        for _ in range(3):
            trial = oracle.create_trial("worker0")
            if trial.status != "STOPPED":
                finish(oracle, trial, 0.5)
        assert oracle.create_trial("worker0").status == "STOPPED"
        assert sorted(frozen.params["width"] for frozen in oracle.study.get_trials()) == [1, 2, 3]


@pytest.mark.parametrize("strategy", ["random", "grid", "tpe"])
def test_a_search_longer_than_the_start_of_its_strategy(opened: Opened, strategy: str) -> None:
    oracle = opened(max_trials=15, strategy=strategy)
    for number in range(15):
        trial = oracle.create_trial("worker0")
        assert trial.trial_id == f"{number:04d}"
        finish(oracle, trial, None if number % 4 == 3 else trial.hyperparameters.values["width"])
    assert oracle.create_trial("worker0").status == "STOPPED"
    points = {tuple(sorted(frozen.params.items())) for frozen in oracle.study.get_trials()}
    assert len(points) == 15


def test_an_unknown_strategy(opened: Opened) -> None:
    with pytest.raises(ValueError, match=r"^oracle: expected one of random, grid, tpe, got 'bayes'$"):
        opened(strategy="bayes")


def test_a_lost_trial_is_given_again(opened: Opened) -> None:
    first = opened()
    lost = first.create_trial("worker0")
    first.update_trial(lost.trial_id, {"val_mse": 0.5}, 0)
    die(first)
    second = opened()
    again = second.create_trial("worker1")
    assert again.trial_id == lost.trial_id == "0000"
    assert again.hyperparameters.values == lost.hyperparameters.values
    assert again.status == "RUNNING"
    second.update_trial("0000", {"val_mse": 0.25}, 1)
    finish(second, again, 0.25)
    (frozen,) = second.study.get_trials()
    assert (frozen.state, frozen.intermediate_values) == (TrialState.COMPLETE, {1: 0.5, 2: 0.25})
    assert second.create_trial("worker1").trial_id == "0001"


def test_a_held_trial_is_not_given_again(opened: Opened) -> None:
    first, second = opened(), opened()
    assert first.create_trial("worker0").trial_id == "0000"
    assert second.create_trial("worker1").trial_id == "0001"
    assert first.create_trial("worker2").trial_id == "0002"
    die(first)
    third = opened()
    assert [third.create_trial(f"worker{index}").trial_id for index in range(3)] == ["0000", "0002", "0003"]


def test_a_lost_trial_comes_before_a_new_one_and_beyond_max_trials(opened: Opened) -> None:
    first = opened(max_trials=1)
    first.create_trial("worker0")
    die(first)
    second = opened(max_trials=1)
    assert second.create_trial("worker0").trial_id == "0000"
    assert second.create_trial("worker1").status == "STOPPED"


def work_and_die(folder: Path) -> None:
    oracle = StudyOracle(SearchFolder(folder), OBJECTIVE, "random", 5, 0, declared(), "A")
    trial = oracle.create_trial("worker0")
    oracle.claimed[trial.trial_id].journal.append("start", session="A")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_loses_its_trial(opened: Opened, tmp_path: Path) -> None:
    for attempt in range(1, 3):
        process = multiprocessing.get_context("fork").Process(target=work_and_die, args=(tmp_path,))
        process.start()
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        assert events(tmp_path / "trials" / "0000") == ["start"] * attempt
    oracle = opened()
    assert states(oracle) == ["RUNNING"]
    assert oracle.create_trial("worker0").trial_id == "0000"


@pytest.mark.parametrize(("score", "state"), [(0.125, "COMPLETE"), (None, "FAIL")])
def test_an_ended_trial_that_was_not_told_is_told(opened: Opened, score: float | None, state: str) -> None:
    first = opened()
    trial = first.create_trial("worker0")
    values = trial.hyperparameters.values
    journal(first, trial).append("start", session="A")
    journal(first, trial).append("end", outcome="failed" if score is None else "completed", score=score)
    die(first)
    second = opened()
    assert second.create_trial("worker0").trial_id == "0001", "it is not run again"
    told = second.study.get_trials()[0]
    assert (told.state.name, told.value, told.params) == (state, score, values)
    assert states(second) == [state, "RUNNING"]
    assert [event["event"] for event in second.folder.trial(0).journal.events()] == ["start", "end"]
    free = second.folder.trial(0)
    assert try_acquire(free.lock)
    free.lock.release()


def test_an_end_that_was_told_but_not_let_go_of_changes_nothing(opened: Opened) -> None:
    first = opened()
    trial = first.create_trial("worker0")
    journal(first, trial).append("end", outcome="completed", score=0.5)
    first.study.tell(0, 0.5)
    die(first)
    second = opened()
    assert second.create_trial("worker0").trial_id == "0001"
    assert second.study.get_trials()[0].value == 0.5


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("torn", [b'{"op_code": 4, "work', b"{", b"\x00" * 100])
def test_a_torn_line_in_the_study(opened: Opened, tmp_path: Path, torn: bytes) -> None:
    first = opened()
    finish(first, first.create_trial("worker0"), 0.5)
    first.create_trial("worker0")
    die(first)
    with (tmp_path / "study.journal").open("ab") as file:
        file.write(torn)
    second = opened()
    assert states(second) == ["COMPLETE", "RUNNING"]
    finish(second, second.create_trial("worker0"), 0.25)
    assert second.create_trial("worker0").trial_id == "0002"
    assert all("op_code" in line for line in lines(tmp_path / "study.journal"))
    third = opened()
    assert states(third) == ["COMPLETE", "COMPLETE", "RUNNING"]
    assert [frozen.value for frozen in third.study.get_trials()] == [0.5, 0.25, None]


def test_a_line_that_is_torn_while_workers_live(opened: Opened, tmp_path: Path) -> None:
    oracle = opened()
    finish(oracle, oracle.create_trial("worker0"), 0.5)
    with (tmp_path / "study.journal").open("ab") as file:
        file.write(b'{"op_code": 6, "work')  # another worker, on a disk that was full for a moment
    finish(oracle, oracle.create_trial("worker0"), 0.25)
    assert states(opened()) == states(oracle) == ["COMPLETE", "COMPLETE"]


def test_a_torn_line_in_the_journal_of_a_trial(opened: Opened, tmp_path: Path) -> None:
    first = opened()
    trial = first.create_trial("worker0")
    journal(first, trial).append("start", session="A")
    with (tmp_path / "trials" / "0000" / "journal.jsonl").open("ab") as file:
        file.write(b'{"event": "end", "outcome": "completed", "sco')
    die(first)
    second = opened()
    again = second.create_trial("worker0")
    assert again.trial_id == "0000", "half an end is no end"
    finish(second, again, 0.5)
    assert [event["event"] for event in lines(tmp_path / "trials" / "0000" / "journal.jsonl")] == ["start", "end"]


def test_a_folder_without_a_study_entry_is_used_by_the_next_trial(opened: Opened, tmp_path: Path) -> None:
    """A worker killed between making the folder and the line in the study."""
    (tmp_path / "trials" / "0000").mkdir(parents=True)
    assert opened().create_trial("worker0").trial_id == "0000"


def start(session: str) -> dict[str, Any]:
    return {"event": "start", "session": session}


EPOCH, BUILT = {"event": "epoch"}, {"event": "built"}


@pytest.mark.parametrize(
    ("journal_of", "count"),
    [
        ([], 0),
        ([start("A")], 1),
        ([start("A"), BUILT, start("A"), BUILT], 2),
        ([start("A")] * 3, 3),
        ([start("B")], 0),  # the launcher of B was killed, not the worker of A
        ([start("B"), start("B")], 1),
        ([start("B"), start("B"), start("A")], 2),
        ([start("B"), start("C"), start("D"), start("E")], 0),
        ([start("A"), start("A"), EPOCH], 1),
        ([start("A"), start("A"), EPOCH, start("A")], 2),
        ([start("A"), EPOCH, start("A"), EPOCH, start("A"), EPOCH], 1),
        ([start("A"), EPOCH, EPOCH, start("A"), start("A")], 3),
        ([start("A"), start("A"), start("B"), EPOCH], 0),
    ],
)
def test_deaths(journal_of: list[dict[str, Any]], count: int) -> None:
    assert deaths(journal_of, "A") == count


def attempt(oracle: StudyOracle, epoch: int | None = None) -> str:
    """A worker that dies in its trial, after one more epoch perhaps."""
    trial = oracle.create_trial("worker0")
    if trial.status != "STOPPED":
        journal(oracle, trial).append("start", session=oracle.session)
        if epoch is not None:
            journal(oracle, trial).append("epoch", epoch=epoch)
        die(oracle)
    return trial.trial_id


def test_a_trial_that_kills_its_worker_three_times_has_failed(opened: Opened) -> None:
    assert DEATHS == 3
    assert [attempt(opened()) for _ in range(3)] == ["0000"] * 3
    oracle = opened()
    assert oracle.create_trial("worker0").trial_id == "0001"
    assert states(oracle) == ["FAIL", "RUNNING"]
    end = oracle.folder.trial(0).journal.events()[-1]
    assert (end["event"], end["outcome"], end["score"]) == ("end", "failed", None)
    assert end["reason"] == "killed its worker 3 times"
    free = oracle.folder.trial(0)
    assert try_acquire(free.lock)
    free.lock.release()


def test_kills_of_the_launcher_do_not_count(opened: Opened) -> None:
    assert [attempt(opened(session)) for session in "ABCDEFG"] == ["0000"] * 7
    assert states(opened("H")) == ["RUNNING"]


def test_deaths_under_two_launchers_add_up(opened: Opened) -> None:
    assert [attempt(opened(session)) for session in "AABB"] == ["0000"] * 4
    assert attempt(opened("B")) == "0001", "one death under A and two under B"


def test_an_epoch_in_between_begins_the_count_anew(opened: Opened) -> None:
    epochs = [None, None, 0, None, 1, None, 2]
    assert [attempt(opened(), epoch) for epoch in epochs] == ["0000"] * 7
    assert [attempt(opened()) for _ in range(3)] == ["0000", "0000", "0001"]


def test_the_best_trials(opened: Opened) -> None:
    oracle = opened(max_trials=6)
    trials = [oracle.create_trial("worker0")]
    for score in (0.5, 0.125, None, 0.25):
        finish(oracle, trials[-1], score)
        trials.append(oracle.create_trial("worker0"))
    assert oracle.study.direction.name == "MINIMIZE"
    best = oracle.get_best_trials(2)
    assert [(trial.trial_id, trial.score, trial.status) for trial in best] == [
        ("0001", 0.125, "COMPLETED"),
        ("0003", 0.25, "COMPLETED"),
    ]
    assert best[0].hyperparameters.values == trials[1].hyperparameters.values
    assert [trial.score for trial in oracle.get_best_trials(9)] == [0.125, 0.25, 0.5]
    assert [trial.trial_id for trial in opened().get_best_trials()] == ["0001"], "from disk"


def test_the_best_trials_where_more_is_better(opened: Opened) -> None:
    oracle = opened(objective=keras_tuner.Objective("val_accuracy", "max"))
    assert oracle.study.direction.name == "MAXIMIZE", "for samplers and pruners"
    for score in (0.5, 0.75, 0.25):
        finish(oracle, oracle.create_trial("worker0"), score)
    assert [trial.score for trial in oracle.get_best_trials(3)] == [0.75, 0.5, 0.25]


def test_workers_see_each_others_trials(opened: Opened) -> None:
    oracles = [opened(max_trials=12) for _ in range(3)]
    for number in range(12):
        oracle = oracles[number % 3]
        trial = oracle.create_trial("worker")
        assert trial.trial_id == f"{number:04d}"
        finish(oracle, trial, 0.5)
    points = [tuple(sorted(frozen.params.items())) for frozen in oracles[0].study.get_trials()]
    assert len(set(points)) == 12


def test_the_same_seed_proposes_the_same_trials_whoever_asks(tmp_path: Path) -> None:
    def values(name: str, workers: int, seed: int) -> list[dict[str, Any]]:
        (tmp_path / name).mkdir()
        folder = SearchFolder(tmp_path / name)
        oracles = [StudyOracle(folder, OBJECTIVE, "random", 8, seed, declared()) for _ in range(workers)]
        found = [oracles[number % workers].create_trial(f"worker{number}") for number in range(8)]
        return [trial.hyperparameters.values for trial in found]

    assert values("one", 1, 0) == values("two", 2, 0) != values("other", 1, 1)


class FakeTuner(SearchTuner):
    """The score is the width; widths that 5 divides fail."""

    def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> dict[str, Any]:
        width = trial.hyperparameters.get("width")
        if width % 5 == 0:
            raise ValueError("a width of a multiple of 5")
        self.oracle.update_trial(trial.trial_id, {"val_mse": float(width)}, 0)
        return {"score": width + execution, "epoch": 0, "seconds": 1.0}


def test_keras_tuners_own_loop(opened: Opened, tmp_path: Path) -> None:
    tuner = FakeTuner(opened(max_trials=20), Space(), 3, 0)
    tuner.search()
    trials = tuner.oracle.study.get_trials()
    assert len(trials) == 20
    widths = [trial.params["width"] for trial in trials]
    assert 0 < sum(width % 5 == 0 for width in widths) < 20
    for trial, width in zip(trials, widths, strict=True):
        assert (trial.state.name, trial.value) == (("FAIL", None) if width % 5 == 0 else ("COMPLETE", width + 1.0))
    best = min(width for width in widths if width % 5)
    assert tuner.get_best_hyperparameters()[0].values["width"] == best
    assert [found.values["width"] for found in tuner.get_best_hyperparameters(3)][1:] == sorted(
        width for width in widths if width % 5
    )[1:3]
    end = SearchFolder(tmp_path).trial(widths.index(best)).journal.events()[-1]
    assert (end["outcome"], end["score"], end["spread"], end["model_score"]) == ("completed", best + 1, 1.0, best + 1)
    failed = next(number for number, width in enumerate(widths) if width % 5 == 0)
    reason = SearchFolder(tmp_path).trial(failed).journal.events()[-1]["reason"]
    assert reason == "ValueError: a width of a multiple of 5"


def test_a_second_search_has_nothing_left_to_do(opened: Opened) -> None:
    FakeTuner(opened(max_trials=3), Space(), 1, 0).search()
    again = FakeTuner(opened(max_trials=3), Space(), 1, 0)
    before = [trial.datetime_complete for trial in again.oracle.study.get_trials()]
    again.search()
    assert [trial.datetime_complete for trial in again.oracle.study.get_trials()] == before
    assert len(again.get_best_hyperparameters(9)) <= 3


def test_folders(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path)
    assert folder.trials() == []
    for number in (0, 7, 12, 10_000, 9_999):
        folder.trial(number).path.mkdir(parents=True)
    assert [trial.number for trial in folder.trials()] == [0, 7, 12, 9_999, 10_000]
    trial = folder.trial(7)
    assert trial.path.name == "0007"
    for path in (trial.checkpoint, trial.model, trial.execution_weights(0, 3), trial.path / "new-execution1.npz.tmp"):
        path.write_bytes(b"x")
    trial.journal.append("start")
    trial.clear()
    assert sorted(path.name for path in trial.path.iterdir()) == ["journal.jsonl", "model.keras"]
    trial.clear()


def test_a_study_that_was_lost_overwrites_no_trial(opened: Opened, tmp_path: Path) -> None:
    first = opened()
    finish(first, first.create_trial("worker0"), 0.5)
    before = events(tmp_path / "trials" / "0000")
    (tmp_path / "study.journal").unlink()
    with pytest.raises(SearchStateError, match="study.journal with all trials of the search, got one without trial 0"):
        opened().create_trial("worker0")
    assert events(tmp_path / "trials" / "0000") == before
