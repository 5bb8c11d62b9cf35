"""What a worker does with one trial, killed at the worst moments: nothing is done twice, nothing is left out."""

from pathlib import Path
from typing import Any

import keras
import keras_tuner
import psutil
import pytest
from support import tuners
from support.tuners import EPOCHS, Noting, killed, lines, make

from experiments.config.folders import TrialFolder
from experiments.strategy.oracle import StudyOracle
from experiments.training.scoring import scorer
from experiments.training.training import Training, read_state
from experiments.worker import checkpoints
from experiments.worker.execution import RecurrentTuner
from tracking.candidates import candidate_in
from tracking.journal import Journal
from tracking.ranking import Candidate

kill = tuners.kill  # the fixture


@pytest.mark.usefixtures("untraced")
def test_a_line_that_a_kill_left_out_is_the_one_that_would_have_been(tmp_path: Path, kill: Any) -> None:
    kill(Journal, "append", lambda self, event, **fields: event == "epoch" and fields["epoch"] == 2)
    trial = killed(make(tmp_path))
    state = read_state(trial.checkpoint)
    assert (state["epoch"], len(lines(trial))) == (2, 2)
    make(tmp_path).search()
    found = lines(trial)
    assert [line["epoch"] for line in found] == list(range(EPOCHS))
    for key in ("time", "training", "seconds"):
        assert found[2][key] == state[key] > 0
    start = [event["time"] for event in trial.journal.events() if event["event"] == "start"]
    assert found[2]["time"] < start[1], "the epoch was before the second start"


@pytest.mark.usefixtures("untraced")
def test_an_epoch_that_is_done_again_is_not_written_again(tmp_path: Path, kill: Any) -> None:
    kill(Training, "run_epoch", lambda self: self.epoch == 2)
    trial = killed(make(tmp_path))
    before = lines(trial)
    trial.checkpoint.unlink()
    make(tmp_path).search()
    assert [line["epoch"] for line in lines(trial)] == list(range(EPOCHS))
    assert lines(trial)[:3] == before


@pytest.mark.usefixtures("untraced")
def test_score_and_weights_are_of_one_epoch(tmp_path: Path, kill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def better(self: Training) -> bool:
        self.best, self.best_epoch = self.logs["val_mse"], self.epoch
        return True

    monkeypatch.setattr(Training, "improved", better)
    kill(checkpoints, "link", lambda path, source: source.name == "execution0-epoch2.npz")
    trial = killed(make(tmp_path))
    assert read_state(trial.checkpoint)["best_epoch"] == 1
    assert [trial.execution_weights(0, epoch).exists() for epoch in range(3)] == [False, True, True]
    tuner = make(tmp_path, trial_time_limit="0.001")  # no further epoch
    tuner.search()
    end = trial.journal.events()[-1]
    assert (end["outcome"], end["epoch"], len(lines(trial))) == ("completed", 1, 2)
    assert scorer(tuner.spec.to_json())(trial.model, "val")[0] == pytest.approx(end["model_score"], rel=1e-6)
    assert sorted(path.name for path in trial.path.iterdir()) == ["journal.jsonl", "lock", "model.keras"]


@pytest.mark.usefixtures("untraced")
def test_a_pruner_is_asked_after_every_epoch_but_the_last(tmp_path: Path, kill: Any) -> None:
    kill(StudyOracle, "should_prune", lambda self, number: Noting in map(type, [self.pruner]) and len(first.steps) == 2)
    first, second = Noting(), Noting()
    killed(make(tmp_path, first))
    make(tmp_path, second).search()
    assert first.steps + second.steps == list(range(1, EPOCHS)), "epochs behind it"


def test_a_trial_that_was_given_up_stays_so(tmp_path: Path, kill: Any) -> None:
    kill(Journal, "append", lambda self, event, **fields: event == "end")
    trial = killed(make(tmp_path, Noting(last=3)))
    lenient = Noting()
    tuner = make(tmp_path, lenient)
    tuner.search()
    end = trial.journal.events()[-1]
    assert (end["outcome"], end["reason"]) == ("pruned", "halving, after 3 epochs")
    assert [len(lines(trial)), lenient.steps] == [3, []]
    assert [frozen.state.name for frozen in tuner.oracle.study.get_trials()] == ["PRUNED"]


@pytest.mark.usefixtures("untraced")
def test_an_execution_that_the_launcher_has_stopped_keeps_its_best_epoch(tmp_path: Path, kill: Any) -> None:
    kill(Training, "run_epoch", lambda self: self.epoch == 1)
    trial = killed(make(tmp_path))
    trial.journal.append("stop", execution=0, reason="stopped at the trial time limit of 1 s")
    make(tmp_path).search()
    end = trial.journal.events()[-1]
    assert (end["outcome"], end["reason"]) == ("completed", "stopped at the trial time limit of 1 s")
    assert end["score"] == min(line["metrics"]["val_mse"] for line in lines(trial))
    assert len(lines(trial)) == 2 and trial.model.exists()


@pytest.mark.usefixtures("untraced")
def test_a_model_is_written_only_where_it_may_win(tmp_path: Path) -> None:
    tuner = make(tmp_path, trials=3, learning_rate="0.02,1e-6,1e-7")  # a grid begins with the last
    tuner.search()
    scores = [trial.values[0] for trial in tuner.oracle.study.get_trials()]
    assert scores[2] < min(scores[:2]), "learnt by the only one that could"
    written = [trial.model.exists() for trial in tuner.oracle.folder.trials()]
    assert written == [True, scores[1] < scores[0], True]
    best = keras.models.load_model(tuner.oracle.folder.trial(2).model)
    assert all(type(layer).__module__.startswith("keras.") for layer in best.layers)


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize(("direction", "wins"), [("min", [True, False, False]), ("max", [False, False, True])])
def test_who_may_win(tmp_path: Path, direction: str, wins: list[bool]) -> None:
    """Among models of one size the best score; a smaller one in any case; a larger one by its score alone."""
    tuner = make(tmp_path)
    tuner.search()
    trial = tuner.oracle.folder.trial(0)
    done = candidate_in(0, trial.journal.events())
    assert done is not None and done.parameters == 4 * (2 + 4 + 1) + 4 + 1 and done.cell == "simple_rnn"
    tuner.oracle.objective = keras_tuner.Objective("val_mse", direction)

    def may_win(more: int) -> list[bool]:
        changed = [(done.score + part, done.parameters + more) for part in (-0.1, 0.0, 0.1) if done.parameters]
        return [tuner.oracle.may_win(Candidate(1, score, None, size, 1.0, done.cell)) for score, size in changed]

    assert may_win(0) == may_win(1) == wins
    assert may_win(-1) == [True] * 3
    trial.model.unlink()
    assert may_win(1) == [True] * 3, "there is no other model"


def test_no_thread_and_no_file_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process, found = psutil.Process(), []
    monkeypatch.setattr(
        RecurrentTuner,
        "_retire_if_grown",
        lambda self: found.append((process.num_threads(), process.num_fds(), len(process.open_files()))),
    )
    make(tmp_path, trials=4, width="2,3,4,5", epochs=1).search()
    assert len(found) == 4
    assert found[-1] == found[1]


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("outcome", ["completed", "pruned", "failed"])
def test_an_end_is_written_before_anything_is_cleared(
    tmp_path: Path, kill: Any, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(TrialFolder, "clear", lambda self: True)
    if outcome == "failed":
        monkeypatch.setattr(RecurrentTuner, "_refuse_divergence", lambda self, epoch, logs: 1 / (2 - epoch))
    trial = killed(make(tmp_path, Noting(2 if outcome == "pruned" else EPOCHS)))
    assert trial.journal.events()[-1]["outcome"] == outcome
    assert trial.checkpoint.exists()
    before = trial.journal.events()
    tuner = make(tmp_path)
    tuner.search()
    assert trial.journal.events() == before, "it is not run again"
    assert sorted(path.suffix for path in trial.path.iterdir()) == sorted(
        ["", ".jsonl", *([".keras"] if outcome == "completed" else [])]
    )
    states = {"completed": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    assert [frozen.state.name for frozen in tuner.oracle.study.get_trials()] == [states[outcome]]
