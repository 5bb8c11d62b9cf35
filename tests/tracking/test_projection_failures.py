"""The projection on a store that fails, answers late, or is changed by somebody else: nothing is lost or doubled."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from support.desk import (
    CALLS,
    COMPLETED,
    FLOORS,
    SESSION,
    START,
    Desk,
    Flaky,
    again,
    built,
    end,
    epoch,
    executed,
    failure,
    new_desk,
    start,
)

import tracking.record
import tracking.runs
from tracking.children import all_trials, child_tags
from tracking.runs import Projection
from tracking.searches import find_search, open_search


def play(desk: Desk, client: Any) -> None:
    """A search of two launchers; a sync that fails is done again later, as the launcher does it."""
    first = Projection(client, desk.parent, desk.folder, "mse", "min", SESSION, FLOORS)
    desk.write("0000", *COMPLETED[:3])
    desk.write("0001", *COMPLETED)
    again(first.sync)
    desk.write("0000", epoch(1, 0.1, 2_000))
    again(first.sync)
    again(lambda: first.sync(over=True))
    second = Projection(client, desk.parent, desk.folder, "mse", "min", "launcher-2", FLOORS)
    desk.write("0000", start(9_000, attempt=2, session="launcher-2"), built(9_100))
    again(second.sync)
    desk.write("0000", executed(0.1, 9_201), end(0.1, 9_202))
    desk.write("0002", start(9_300, session="launcher-2"), failure(9_500))
    again(second.sync)
    again(lambda: second.sync(over=True))


@pytest.fixture(scope="module")
def undisturbed(client: MlflowClient, uri: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    desk = new_desk(client, uri, tmp_path_factory.mktemp("undisturbed"), "undisturbed")
    play(desk, client)
    return desk.rows()


@pytest.mark.parametrize("call", CALLS)
def test_a_store_that_fails_once_loses_nothing(
    undisturbed: dict[str, Any], client: MlflowClient, uri: str, tmp_path: Path, call: str
) -> None:
    check_every_failure(undisturbed, client, uri, tmp_path, call, after=False)


@pytest.mark.parametrize("call", CALLS)
def test_a_store_whose_answer_is_lost_once_doubles_nothing(
    undisturbed: dict[str, Any], client: MlflowClient, uri: str, tmp_path: Path, call: str
) -> None:
    check_every_failure(undisturbed, client, uri, tmp_path, call, after=True)


def check_every_failure(
    expected: dict[str, Any], client: MlflowClient, uri: str, folder: Path, call: str, after: bool
) -> None:
    """The first call fails, in another search the second, and so on until a search has no more of them."""
    number, calls = 0, 1
    while number < calls:
        number += 1
        desk = new_desk(client, uri, folder, f"{call}-{after}-{number}")
        flaky = Flaky(client, (call,), number, after)
        play(desk, flaky)
        calls = flaky.calls - 1
        assert without_names(desk.rows()) == without_names(expected), f"{call} {number} failed"
        assert flaky.calls, f"nobody calls {call}"


def active(desk: Desk) -> list[Run]:
    found = desk.client.search_runs([desk.parent.info.experiment_id], "tags.`recurrent.kind` = 'trial'")
    name = desk.parent.data.tags["recurrent.search_id"]
    return [run for run in found if run.data.tags["recurrent.search_id"] == name]


def test_of_two_runs_of_a_trial_the_fuller_one_stays(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:3])
    (full,) = desk.sync()
    tags = child_tags(desk.parent, "0000", "0000 gru-32")
    desk.client.create_run(desk.parent.info.experiment_id, START, tags)
    assert [run.info.run_id for run in all_trials(desk.client, desk.parent)] == [full.info.run_id]
    desk.sync()
    assert [run.info.run_id for run in active(desk)] == [full.info.run_id]


class Late:
    """A client of a store that makes a run, but so late that it has been asked for a second one meanwhile."""

    def __init__(self, client: MlflowClient) -> None:
        self.client, self.waiting = client, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def create_run(self, *args: Any) -> Run:
        made = [self.client.create_run(*args) for _ in range(0 if self.waiting else 2)]
        if self.waiting:
            self.waiting = False
            raise MlflowException("no answer in time")
        return made[0]


def test_a_run_that_comes_after_all_goes(desk: Desk) -> None:
    projection = Projection(Late(desk.client), desk.parent, desk.folder, "mse", "min", SESSION, FLOORS)  # type: ignore[arg-type]
    desk.write("0000", *COMPLETED)
    again(lambda: projection.sync())
    assert len(active(desk)) == 2
    projection.sync(over=True)
    (run,) = active(desk)
    assert (run.info.status, run.data.tags["recurrent.outcome"]) == ("FINISHED", "completed")


def test_of_two_runs_of_a_search_the_first_stays(desk: Desk) -> None:
    parent = desk.parent
    name, spec = parent.data.tags["recurrent.search_id"], json.loads(parent.data.tags["recurrent.spec.0"])
    tags = {"recurrent.kind": "search", "recurrent.search_id": name}
    for number, one in enumerate(("1", "2")):  # the second is another user's
        more = {"recurrent.spec_id": one, "recurrent.spec.0": json.dumps({**spec, "id": one})}
        later = parent.info.start_time + 1 + number
        desk.client.create_run(parent.info.experiment_id, later, tags | more)
    assert find_search(desk.client, name).info.run_id == parent.info.run_id
    assert open_search(desk.client, name, "adding", None, spec, {}).info.run_id == parent.info.run_id
    text = f"tags.`recurrent.kind` = 'search' and tags.`recurrent.search_id` = '{name}'"
    found = desk.client.search_runs([parent.info.experiment_id], text)
    assert sorted(json.loads(run.data.tags["recurrent.spec.0"])["id"] for run in found) == ["1", "2"]


class Raced:
    """A client of a store in which somebody else begins a search of the same name just before ours is made."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def create_run(self, experiment_id: str, start_time: int, tags: dict[str, str]) -> Run:
        theirs = {**tags, "recurrent.spec_id": "theirs"}
        self.client.create_run(experiment_id, start_time + 1, theirs)  # by a clock that is ahead of ours
        return self.client.create_run(experiment_id, start_time, tags)


def test_of_two_who_take_a_name_at_once_the_later_one_is_refused(desk: Desk, tmp_path: Path) -> None:
    name, spec = f"{tmp_path.name}-raced", {**json.loads(desk.parent.data.tags["recurrent.spec.0"]), "id": "ours"}
    with pytest.raises(ValueError, match=f"--name: expected a new name, got '{name}', which {desk.uri} holds already"):
        open_search(Raced(desk.client), name, "adding", None, spec, {})  # type: ignore[arg-type]
    text = f"tags.`recurrent.kind` = 'search' and tags.`recurrent.search_id` = '{name}'"
    (left,) = desk.client.search_runs([desk.parent.info.experiment_id], text)
    assert left.data.tags["recurrent.spec_id"] == "theirs"


def test_trials_of_a_deleted_search_are_not_those_of_a_later_one_of_its_name(desk: Desk) -> None:
    """In MLflow's UI a search's own run can be deleted alone."""
    desk.write("0000", *COMPLETED)
    desk.write("0001", *COMPLETED[:3])
    before = [run.info.run_id for run in desk.sync(over=True)]
    name, spec = desk.parent.data.tags["recurrent.search_id"], json.loads(desk.parent.data.tags["recurrent.spec.0"])
    desk.client.delete_run(desk.parent.info.run_id)
    later = new_desk(desk.client, desk.uri, desk.folder.parent / "later", name, "2")
    later.write("0000", *COMPLETED[:3])
    (run,) = later.sync()
    assert [one.info.run_id for one in all_trials(later.client, later.parent)] == [run.info.run_id]
    assert run.info.run_id not in before
    assert [one.data.tags["mlflow.parentRunId"] for one in map(desk.client.get_run, before)] == [
        desk.parent.info.run_id
    ] * 2
    desk.client.delete_run(later.parent.info.run_id)  # the first one goes on, and finds its own
    desk.parent = open_search(desk.client, name, "adding", None, spec, {})
    assert [run.info.run_id for run in desk.sync(over=True)] == before


def test_epochs_wait_for_more_of_them_but_ends_do_not(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = {"now": 0.0}
    monkeypatch.setattr(tracking.runs.time, "monotonic", lambda: clock["now"])
    counting = Flaky(desk.client, CALLS, 0, after=False)
    projection = Projection(counting, desk.parent, desk.folder, "mse", "min", SESSION, FLOORS)  # type: ignore[arg-type]
    told = []
    for line in COMPLETED:
        desk.write("0000", line)
        clock["now"] += 4
        before = counting.calls
        projection.sync(hold=10)
        told.append(counting.calls - before)
    # start: create and log; built and the first epoch wait; the second does not; the end: log, terminate, the best.
    assert told == [2, 0, 0, 1, 0, 3]
    (run,) = desk.trials()
    assert desk.curve(run, "val_mse") == [(1_000, 0, 0.3), (2_000, 1, 0.2)]


def test_a_run_that_a_user_deletes_costs_itself_alone(desk: Desk) -> None:
    desk.write("0000", *COMPLETED[:3])
    projection = desk.projection()
    projection.sync()
    desk.client.delete_run(desk.trials()[0].info.run_id)
    desk.write("0000", *COMPLETED[3:])
    desk.write("0001", *COMPLETED)
    with suppress(MlflowException):
        projection.sync()
    assert [run.data.tags["recurrent.trial"] for run in desk.trials() if run.info.status == "FINISHED"][-1:] == ["0001"]


def without_names(rows: dict[str, Any]) -> dict[str, Any]:
    """Without what differs between two searches: their names, and when their own runs began."""
    trials = {table: [row for row in found if row[0] != "search"] for table, found in rows.items()}
    trials["tags"] = [row for row in trials["tags"] if row[1] != "recurrent.search_id"]
    trials["best"] = [row for row in rows["metrics"] if row[0] == "search" and row[1].startswith("best/")]
    return trials
