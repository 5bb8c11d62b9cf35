"""Runs that were deleted in MLflow: it is said, and they come back."""

from pathlib import Path

import pytest
from support.once import copied
from support.refusals import refused
from support.searching import Recurrent, Searched

pytestmark = pytest.mark.slow  # many searches


@pytest.fixture
def copy(searched: Searched, tmp_path: Path) -> Searched:
    return Searched(copied(searched.folder, tmp_path.resolve() / "copy"), "t", searched.done)


def state(search: Searched) -> list[tuple[str, str, dict[str, float]]]:
    runs = [search.parent, *search.trials()]
    return [(run.info.run_id, run.info.status, run.data.metrics) for run in runs]


def test_deleted_runs_come_back(copy: Searched, recurrent: Recurrent) -> None:
    before = state(copy)
    for run_id, _, _ in before:
        copy.client.delete_run(run_id)
    done = recurrent("results", cwd=copy.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout
        == f"no search in {copy.uri}; deleted in MLflow: t; `recurrent sync NAME` restores one whose folder is here\n"
    )
    assert recurrent("results", "--json", cwd=copy.folder).stdout == "[]\n"
    refused(recurrent("results", "t", cwd=copy.folder), "'t', which was deleted in MLflow", "recurrent sync t")
    done = recurrent("sync", "t", cwd=copy.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"t: 7 deleted run(s) restored; {copy.uri} has all that its journals say\n"
    assert state(copy) == before
    again = recurrent("sync", "t", cwd=copy.folder)
    assert again.stdout == f"t: {copy.uri} has all that its journals say\n"


def test_a_deleted_trial_comes_back_and_its_deleted_twin_does_not(copy: Searched, recurrent: Recurrent) -> None:
    before, trial = state(copy), copy.trials()[2]
    twin = copy.client.create_run(trial.info.experiment_id, tags={**trial.data.tags, "mlflow.runName": "twin"})
    for run in (twin, trial):
        copy.client.delete_run(run.info.run_id)
    done = recurrent("sync", "t", cwd=copy.folder)
    assert done.stdout == f"t: 1 deleted run(s) restored; {copy.uri} has all that its journals say\n"
    assert state(copy) == before


def test_a_deleted_experiment_comes_back(copy: Searched, recurrent: Recurrent) -> None:
    """What else is in it stays deleted."""
    before, (experiment,) = state(copy), {run.info.experiment_id for run in copy.trials()}
    other = copy.client.create_run(experiment).info.run_id
    copy.client.delete_experiment(experiment)
    done = recurrent("results", cwd=copy.folder)
    assert done.stdout.startswith(f"no search in {copy.uri}; deleted in MLflow: t; ")
    refused(recurrent("results", "t", cwd=copy.folder), "'t', which was deleted in MLflow", "recurrent sync t")
    done = recurrent("sync", "t", cwd=copy.folder)
    assert done.stdout == f"t: 7 deleted run(s) restored; {copy.uri} has all that its journals say\n"
    assert state(copy) == before
    assert copy.client.get_run(other).info.lifecycle_stage == "deleted"


def test_a_store_without_a_search(recurrent: Recurrent, tmp_path: Path) -> None:
    from tracking.store import connect

    connect(f"sqlite:///{tmp_path}/mlflow.db", create=True)
    done = recurrent("results", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"no search in sqlite:///{tmp_path}/mlflow.db yet\n")


def test_a_failed_search_says_why(copy: Searched, recurrent: Recurrent) -> None:
    copy.client.set_tag(copy.parent.info.run_id, "recurrent.stopped", "the disk is full; --resume goes on")
    copy.client.set_terminated(copy.parent.info.run_id, "FAILED")
    done = recurrent("results", "t", cwd=copy.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nthe search has failed: the disk is full; --resume goes on\n" in done.stdout
    assert copy.results()["stopped"] == "the disk is full; --resume goes on"
    assert recurrent("results", cwd=copy.folder).stdout.endswith("  failed, --resume goes on\n")
