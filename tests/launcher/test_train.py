"""`recurrent train` as users run it: a trial trained longer, exported by name, sent again, resumed."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from support.cards import checked_card
from support.once import copied
from support.searching import NotRefused, Recurrent, Searched, run

from experiments.config.finals import Plan
from experiments.config.spec import Spec
from experiments.launcher.engine import Where
from experiments.launcher.retraining import Data
from experiments.launcher.train import Train
from experiments.tasks.adding import Adding
from tracking.trained import plan

TRAIN_SECONDS = 600  # that two short trainings may take on a busy machine


@pytest.fixture(scope="module")
def trained(searched: Searched, tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """The search `t` whose best trial was trained for 3 more epochs, from two seeds."""
    folder = copied(searched.folder, tmp_path_factory.mktemp("trained").resolve())
    done = run("train", "t", "--epochs", "3", "--seeds", "2", "--workers", "2", cwd=folder, seconds=TRAIN_SECONDS)
    assert (done.returncode, done.stderr) == (0, ""), done
    return replace(searched, folder=folder, done=done)


@pytest.mark.slow
def test_the_winner_is_trained_and_the_search_stays(trained: Searched, searched: Searched) -> None:
    best, runs = trained.results()["preferred"], trained.runs("trained")
    assert {run.data.tags["recurrent.candidate"] for run in runs} == {best} and len(runs) == 2
    assert {run.data.tags["recurrent.training"] for run in runs} == {f"{best}-3-weights"}
    assert {run.data.tags["recurrent.seed"] for run in runs} == {"0", "1"}
    assert all(run.info.status == "FINISHED" and "test/mse" not in run.data.metrics for run in runs)
    assert [len(trained.curve(run, "val_mse")) for run in runs] == [3, 3]
    assert trained.results()["trials"] == searched.results()["trials"], "the search has its trials, and no other one"
    assert f"{best} seed 0" in trained.done.stdout and "the training has ended: all 2 trainings" in trained.done.stdout
    assert "Trained further: MSE of the middle seed" in trained.done.stdout


@pytest.mark.slow
def test_the_middle_seed_is_exported_by_the_name_of_the_training(trained: Searched) -> None:
    (found,) = trained.results()["trained"]
    worse = max(found["validation"])
    assert found["complete"] and found["score"] == worse, "of two seeds the worse one, since nobody gets a better one"
    assert f"recurrent export t --run {found['training']} --to DIR" in trained.done.stdout
    done = run("export", "t", "--run", found["training"], "--to", "longer", cwd=trained.folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    card = checked_card(trained.folder / "longer")
    assert (card["trial"], card["model_score"], card["run_id"]) == (found["trial"], worse, found["run"])
    (after,) = trained.results()["trained"]
    tested = [card["test_score"] if run_id == found["run"] else None for run_id in found["run_ids"]]
    assert (found["test"], after["test"]) == ([None, None], tested)
    assert card["trained"]["reason"] == "rank 2 of 2, best first: the worse of the two in the middle"
    page = " ".join((trained.folder / "longer" / "README.md").read_text("utf-8").split())
    assert "It was trained further, for 3 epochs from the weights of the trial. Of 2 seeds it is seed" in page
    assert f"recurrent train t --trial {int(found['trial'])} --epochs 3 --seeds 2 --from weights" in page
    seed = f"seed {card['trained']['seed']} of 2, counted from 0, is rank 2 of 2"
    assert f"trained further for 3 epochs from the weights of the trial\n{seed}" in done.stdout
    plain = run("export", "t", "--to", "plain", cwd=trained.folder)
    assert plain.returncode == 0, "without --run it is the best trial, as before"
    assert "trained" not in checked_card(trained.folder / "plain")


@pytest.mark.slow
def test_the_same_command_again_trains_nothing(trained: Searched) -> None:
    before = {run.info.run_id: run.data.metrics for run in trained.runs("trained")}
    done = run("train", "t", "--epochs", "3", cwd=trained.folder)
    assert (done.returncode, done.stderr) == (0, "") and "all done" in done.stdout
    assert {run.info.run_id: run.data.metrics for run in trained.runs("trained")} == before


@pytest.mark.slow
def test_what_the_store_has_lost_is_sent_again(trained: Searched, tmp_path: Path) -> None:
    folder = copied(trained.folder, (tmp_path / "copy").resolve())
    again = replace(trained, folder=folder)
    (found,) = again.results()["trained"]
    again.client.delete_run(found["run_ids"][0])
    done = run("sync", "t", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "") and "1 deleted run(s) restored" in done.stdout
    assert again.results()["trained"] == [found]
    (folder / "mlflow.db").unlink()
    done = run("sync", "t", cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    (new,) = again.results()["trained"]
    same = ("training", "validation", "seeds", "complete", "score")
    assert [new[key] for key in same] == [found[key] for key in same] and new["run"] != found["run"]
    assert run("export", "t", "--run", new["run"], "--to", "longer", cwd=folder).returncode == 0


@pytest.mark.slow
def test_a_training_that_has_got_more_seeds_is_not_whole(
    trained: Searched, recurrent: Recurrent, tmp_path: Path
) -> None:
    folder = copied(trained.folder, (tmp_path / "copy").resolve())
    again = replace(trained, folder=folder)
    (found,) = again.results()["trained"]
    plan(again.client, again.parent, found["training"], 3)
    plan(again.client, again.parent, "0000-9-anew", 2)
    (other, more) = again.results()["trained"]
    assert (other["seeds"], other["complete"], other["run"]) == ([], False, None)
    assert (more["complete"], more["run"], more["planned"]) == (False, None, 3)
    done = recurrent("export", "t", "--run", found["training"], "--to", "earlier", cwd=folder)
    said = f"2 of 3 seeds of the training {found['training']} have a score; this is the model of an earlier call"
    assert done.returncode == 0 and said in done.stderr
    refused = recurrent("export", "t", "--run", "0000-9-anew", "--to", "none", cwd=folder)
    expected = "--run: expected a training that has ended, got '0000-9-anew': 0 of 2 seeds of the training 0000-9-anew"
    assert (refused.returncode, refused.stderr) == (2, f"recurrent export: {expected} have a score\n")


def test_what_ends_a_trial_early_does_not_end_a_training() -> None:
    spec = Spec(name="t", task="adding", options={}, cells=["gru"], patience=1, trial_time_limit="1s", epochs=3)
    training = Train("t", 0, 20, 1, "anew", Where(1), "none", "", Console())
    made = Plan(top=1, seeds=1, epochs=20, lengths=[], finals=[], values={}, start="anew")
    found = training.spec(spec, made, Data(("adding", {}), Adding(), [], 0.0))
    assert (found.patience, found.trial_time_limit, found.epochs, found.executions) == (0, "none", 20, 1)


@pytest.mark.slow
def test_it_leaves_with_the_search(trained: Searched, tmp_path: Path) -> None:
    folder = copied(trained.folder, (tmp_path / "copy").resolve())
    again = replace(trained, folder=folder)
    assert run("rename", "t", "u", cwd=folder).returncode == 0
    assert len(replace(again, name="u").runs("trained")) == 2 and again.runs("trained") == []
    assert run("delete", "u", "--yes", cwd=folder).returncode == 0
    assert replace(again, name="u").runs("trained") == [] and not (folder / "searches" / "u").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["u", "--epochs", "2"], "NAME: expected a search in searches/ (t), got 'u'"),
        (["t"], "the following arguments are required: --epochs"),
        (["t", "--epochs", "2", "--trial", "99"], "--trial: expected a trial of 't' (0 to 5), got 99"),
        (["t", "--epochs", "2", "--time-limit", "soon"], "--time-limit: expected"),
        (["t", "--epochs", "2", "--from", "scratch"], "argument --from: "),
        (["t", "--epochs", "2", "--seeds", "1001"], "--seeds: expected at most 1,000, got 1,001"),
    ],
)
def test_a_mistake_is_one_line(recurrent: Recurrent, searched: Searched, words: list[str], message: str) -> None:
    done = recurrent("train", *words, cwd=searched.folder)
    assert done.returncode == 2 and done.stderr.startswith(f"recurrent train: {message}"), done
    assert done.stderr.count("\n") == 1 and not [*(searched.folder / "searches" / "t").glob("trained-*")]


def test_a_trial_whose_model_is_not_kept_begins_anew(recurrent: Recurrent, searched: Searched, tmp_path: Path) -> None:
    folder = copied(searched.folder, (tmp_path / "copy").resolve())
    *others, last = sorted(folder.glob("searches/t/trials/*/model.keras"))
    last.unlink()
    kept, other = [int(path.parent.name) for path in others], int(last.parent.name)
    done = recurrent("train", "t", "--trial", str(other), "--epochs", "2", cwd=folder)
    expected = f"--from: expected anew for a trial whose model is not kept, got weights of trial {other};"
    known = f"the models of these trials are kept: {', '.join(map(str, kept))}"
    assert (done.returncode, done.stderr) == (2, f"recurrent train: {expected} {known}\n")
    with pytest.raises(NotRefused):
        recurrent("train", "t", "--trial", str(other), "--epochs", "2", "--from", "anew", cwd=folder)
