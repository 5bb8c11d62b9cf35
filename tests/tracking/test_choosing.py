"""`recurrent export` hands over the model that is asked for, or says in one line which ones there are."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from support import models
from support.refusals import refused
from support.searching import Recurrent, Searched

from tracking.choosing import Choice


def export(recurrent: Recurrent, searched: Searched, *words: str) -> dict[str, Any]:
    """The card of what was exported."""
    done = recurrent("export", "t", "--to", "chosen", *words, cwd=searched.folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    about: dict[str, Any] = json.loads((searched.folder / "chosen" / "model.json").read_text("utf-8"))
    assert done.stdout.startswith(f"exported {about['architecture']} (trial {about['trial']}, ")
    return about


def points(searched: Searched) -> dict[str, tuple[float, int]]:
    """(score, parameters) of each trial."""
    runs = {run.data.tags["recurrent.trial"]: run.data.metrics for run in searched.trials()}
    return {trial: (run["best/mse"], int(run["cost/parameters"])) for trial, run in runs.items()}


def test_every_model_that_is_kept_can_be_exported(recurrent: Recurrent, searched: Searched) -> None:
    """Each is reloaded and re-scored, so it is the model of that trial."""
    for trial in models.logged(searched):
        about = export(recurrent, searched, "--trial", str(int(trial)))
        score, size = points(searched)[trial]
        assert (about["trial"], about["parameters"], about["chosen"]) == (trial, size, f"trial {trial}")
        assert about["rescored"] == pytest.approx(score, rel=1e-5)


def test_the_best_model_of_a_cell(recurrent: Recurrent, searched: Searched) -> None:
    for cell in {run.data.params["cell"] for run in searched.trials()}:
        about = export(recurrent, searched, "--cell", cell)
        own = [run for run in searched.trials() if run.data.params["cell"] == cell]
        best = min(own, key=lambda run: run.data.metrics["best/mse"])
        assert (about["run_id"], about["values"]["cell"]) == (best.info.run_id, cell)


def test_the_best_model_of_a_size(recurrent: Recurrent, searched: Searched) -> None:
    for most in {size for _, size in points(searched).values()}:
        about = export(recurrent, searched, "--max-parameters", str(most))
        fitting = {trial: point for trial, point in points(searched).items() if point[1] <= most}
        assert about["trial"] == min(fitting, key=lambda trial: fitting[trial])
        assert about["chosen"] == f"the best one with at most {most:,} parameters"


def test_the_smallest_one_that_is_good_enough(recurrent: Recurrent, searched: Searched) -> None:
    about = export(recurrent, searched, "--prefer", "small:100%")
    best = min(points(searched).values())[0]
    enough = {trial: (size, score) for trial, (score, size) in points(searched).items() if score <= max(best, 1 / 6)}
    assert about["trial"] == min(enough, key=lambda trial: enough[trial])
    assert about["chosen"] == "the best one by --prefer small:100%"


def test_a_model_that_is_not_kept_is_refused_with_those_that_are(recurrent: Recurrent, searched: Searched) -> None:
    kept = models.logged(searched)
    gone = sorted(points(searched).keys() - kept.keys())
    for trial in gone:
        done = recurrent("export", "t", "--to", "none", "--trial", str(int(trial)), cwd=searched.folder)
        refused(done, f"trial {trial}", *kept, f"({points(searched)[min(kept)][1]:,})")
        assert not (searched.folder / "none").exists()


def test_what_no_trial_is_is_refused(recurrent: Recurrent, searched: Searched) -> None:
    def refuse(*words: str, says: tuple[str, ...]) -> None:
        refused(recurrent("export", "t", "--to", "none", *words, cwd=searched.folder), words[0], *says)

    least = min(size for _, size in points(searched).values())
    refuse("--trial", "99", says=("0 to 5", "99"))
    refuse("--cell", "gro", says=("gru", "'gro'; did you mean 'gru'?"))
    refuse("--max-parameters", "1", says=(f"at least {least:,}", "got 1"))
    refuse("--trial", "0", "--cell", "gru", says=("--cell",))
    refuse("--prefer", "small", says=("small:2%", "'small'"))
    assert not (searched.folder / "none").exists()


def test_a_search_of_an_earlier_version_hands_over_its_one_model(
    recurrent: Recurrent, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its second trial ties with the first and is smaller, and its model was not kept."""
    client = MlflowClient(f"sqlite:///{old}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'data'")
    runs = {run.data.tags.get("trial"): run.info.run_id for run in client.search_runs([experiment.experiment_id])}
    client.log_metric(runs["0001"], "best/accuracy", 58 / 60)
    client.log_metric(runs["0001"], "executions/accuracy", 58 / 60)
    done = recurrent("export", "old", "--to", "best", cwd=old)
    assert done.returncode == 0 and done.stdout.startswith("exported lstm-8 (trial 0000, 588 parameters) to best/\n")
    (line,) = done.stderr.splitlines()
    assert "trial 0001 gru-8 comes first, but its model is not kept; this is trial 0000 lstm-8" in line
    client.log_metric(runs["0001"], "best/accuracy", 59 / 60, step=1)
    done = recurrent("export", "old", "--to", "again", cwd=old)
    refused(done, "trial 0001 gru-8", "0000 lstm-8 (588)", "--resume")  # the launcher may have been killed before


def test_a_choice_in_words() -> None:
    assert str(Choice()) == "the best one"
    assert str(Choice(cell="gru", most=20_000)) == "the best one of gru with at most 20,000 parameters"
    assert str(Choice(prefer="fast:2%", cell="lstm")) == "the best one by --prefer fast:2% of lstm"
    assert str(Choice(prefer="none")) == "the best one"
