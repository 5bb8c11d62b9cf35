"""The saved views, read back from a real store."""

import json
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from tracking.views import KEY, LOADED, NAMES, NOTE, VALUES, dashboard_link, home_link, write_views


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    return MlflowClient(f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db")


@pytest.fixture
def experiment(client: MlflowClient, tmp_path: Path) -> tuple[MlflowClient, str]:
    return client, client.create_experiment(tmp_path.name, tmp_path.as_uri())


def tags_of(experiment: tuple[MlflowClient, str]) -> dict[str, str]:
    client, experiment_id = experiment
    return dict(client.get_experiment(experiment_id).tags)


def state_of(experiment: tuple[MlflowClient, str], view: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.loads(tags_of(experiment)[KEY + view])["state"])
    return found


def test_four_views_are_listed_in_order(experiment: tuple[MlflowClient, str]) -> None:
    assert write_views(*experiment, "mse", "min")
    found = [json.loads(value) for key, value in tags_of(experiment).items() if key.startswith(KEY)]
    newest_first = sorted(found, key=lambda view: -view["createdAt"])
    assert [view["name"] for view in newest_first] == ["Overview", "Leaderboard", "Searches", "Failed"]


@pytest.mark.parametrize(("direction", "ascending"), [("min", True), ("max", False)])
def test_leaderboard_has_the_best_first(experiment: tuple[MlflowClient, str], direction: str, ascending: bool) -> None:
    assert write_views(*experiment, "accuracy", direction)
    state = state_of(experiment, "leaderboard")
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`reached/accuracy`", ascending)
    wanted = {"params.`architecture`", "tags.`recurrent.outcome`", "metrics.`reached/epochs`"}
    assert wanted | {f"metrics.`{key}`" for key in ("reached/accuracy", "cost/parameters")} <= set(
        state["selectedColumns"]
    )


def test_overview_has_a_chart_of_each_kind_in_a_section(experiment: tuple[MlflowClient, str]) -> None:
    assert write_views(*experiment, "mse", "min")
    state = state_of(experiment, "overview")
    shown = [chart for chart in state["compareRunCharts"] if not chart["deleted"]]
    assert [chart["type"] for chart in shown] == ["PARALLEL", "SCATTER", "LINE", "BAR", "LINE"]
    assert {chart["metricSectionId"] for chart in shown} == {part["uuid"] for part in state["compareRunSections"]}
    assert len({chart["uuid"] for chart in state["compareRunCharts"]}) == len(state["compareRunCharts"])


def test_filters_find_their_runs(experiment: tuple[MlflowClient, str]) -> None:
    client, experiment_id = experiment
    write_views(client, experiment_id, "mse", "min", search=("a", "abc"))
    for kind, status in (("search", "FINISHED"), ("trial", "FINISHED"), ("trial", "FAILED")):
        run = client.create_run(experiment_id, tags={"recurrent.kind": kind, "recurrent.search_id": "a"})
        client.set_terminated(run.info.run_id, status)
    counts = {
        name: len(client.search_runs([experiment_id], state_of(experiment, name)["searchFilter"])) for name in NAMES
    }
    assert counts == {"overview": 2, "leaderboard": 2, "searches": 1, "failed": 1}
    tags = {"recurrent.kind": "trial", "recurrent.search_id": "a", "mlflow.parentRunId": "abc"}
    own = client.create_run(experiment_id, tags=tags).info.run_id
    link = dashboard_link("", experiment_id, "leaderboard", search="a")
    key = link.partition("viewStateShareKey=")[2].partition("&")[0]
    state = json.loads(tags_of(experiment)[f"mlflow.sharedViewState.{key}"])
    assert [run.info.run_id for run in client.search_runs([experiment_id], state["searchFilter"])] == [own]


def test_a_search_has_a_view_of_its_own(experiment: tuple[MlflowClient, str]) -> None:
    assert write_views(*experiment, "mse", "min", search=("adding-50", "abc"))
    link = dashboard_link("http://localhost:5000/", experiment[1], "leaderboard", search="adding-50")
    key = link.partition("viewStateShareKey=")[2].partition("&")[0]
    state = json.loads(tags_of(experiment)[f"mlflow.sharedViewState.{key}"])
    assert state["searchFilter"] == (
        "tags.`recurrent.kind` = 'trial' and tags.`recurrent.search_id` = 'adding-50'"
        " and tags.`mlflow.parentRunId` = 'abc'"
    )


def test_what_the_trials_differ_in_is_a_column_and_an_axis(experiment: tuple[MlflowClient, str]) -> None:
    assert write_views(*experiment, "mse", "min", search=("recipes", "abc"), values=["clip", "depth", "learning_rate"])
    key = dashboard_link("", experiment[1], search="recipes").partition("viewStateShareKey=")[2].partition("&")[0]
    state = json.loads(tags_of(experiment)[f"mlflow.sharedViewState.{key}"])
    values = [name for name in state["selectedColumns"] if "recurrent.value." in name]
    assert values == [f"tags.`recurrent.value.{name}`" for name in ("clip", "depth", "learning_rate")]
    (parallel,) = [chart for chart in state["compareRunCharts"] if chart["type"] == "PARALLEL"]
    assert parallel["selectedParams"] == ["cell", "depth", "width", "clip"]
    assert parallel["selectedMetrics"] == ["hp/log10_learning_rate", "reached/epochs", "reached/mse"]


def test_writing_again_changes_nothing(experiment: tuple[MlflowClient, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert write_views(*experiment, "mse", "min", search=("a", "abc"))
    before = tags_of(experiment)
    monkeypatch.setattr(MlflowClient, "set_experiment_tag", lambda *_: pytest.fail("a tag was written again"))
    assert write_views(*experiment, "mse", "min", search=("a", "abc"))
    assert tags_of(experiment) == before


def test_the_note_links_to_every_view_and_spares_the_users(experiment: tuple[MlflowClient, str]) -> None:
    client, experiment_id = experiment
    assert write_views(client, experiment_id, "mse", "min")
    note = tags_of(experiment)[NOTE]
    assert [name for name in NAMES if f"viewStateShareKey=recurrent-{name}" in note] == [*NAMES[:3]]
    assert note.endswith(f" · no failures. {LOADED}"), "the UI would show an empty page for them"
    run = client.create_run(experiment_id, tags={"recurrent.kind": "trial"})
    client.set_terminated(run.info.run_id, "FAILED")
    assert write_views(client, experiment_id, "mse", "min")
    note = tags_of(experiment)[NOTE]
    assert all(f"viewStateShareKey=recurrent-{name}" in note for name in NAMES) and "no failures" not in note
    client.set_experiment_tag(experiment_id, NOTE, "mine")
    assert write_views(client, experiment_id, "mse", "min")
    assert tags_of(experiment)[NOTE] == "mine"


def test_tags_fit_mlflows_limit(experiment: tuple[MlflowClient, str]) -> None:
    floors = [f"{number} {'f' * 198}" for number in range(30)]
    assert write_views(*experiment, "bits_per_character", "min", search=("a" * 100, "b" * 32), floors=floors)
    assert max(len(value) for value in tags_of(experiment).values()) < 18_000  # a tag is cut at 20,000 characters


def test_a_failing_store_costs_only_the_views(experiment: tuple[MlflowClient, str]) -> None:
    assert write_views(experiment[0], "no such experiment", "mse", "min") is False


@pytest.mark.parametrize(
    ("version", "written"), [("3.16.1", False), ("3.17.2", True), ("3.18.0rc1", True), ("4.0.0", False)]
)
def test_only_an_mlflow_that_knows_views_gets_them(
    experiment: tuple[MlflowClient, str], monkeypatch: pytest.MonkeyPatch, version: str, written: bool
) -> None:
    monkeypatch.setattr(mlflow, "__version__", version)
    assert write_views(*experiment, "mse", "min") is written
    assert any(key.startswith(KEY) for key in tags_of(experiment)) is written


def test_a_searchs_view_has_columns_in_the_order_of_its_values(experiment: tuple[MlflowClient, str]) -> None:
    assert write_views(*experiment, "mse", "min", search=("a", "abc"), values=["width", "learning_rate"])
    key = dashboard_link("", experiment[1], search="a").partition("viewStateShareKey=")[2].partition("&")[0]
    own = json.loads(tags_of(experiment)[f"mlflow.sharedViewState.{key}"])
    for state, names in ((own, ["width", "learning_rate"]), (state_of(experiment, "overview"), [*VALUES])):
        columns = [name for name in state["columnOrder"] if ".value." in name]
        assert columns == [f"tags.`recurrent.value.{name}`" for name in names]
        assert {*columns} <= {*state["selectedColumns"]}


def test_the_list_of_experiments_is_that_for_training() -> None:
    assert home_link("http://127.0.0.1:5000/") == "http://127.0.0.1:5000/#/experiments?workflowType=machine_learning"


def test_link_opens_the_charts() -> None:
    link = dashboard_link("http://127.0.0.1:5000/", "7")
    assert link.startswith("http://127.0.0.1:5000/#/experiments/7/runs?workflowType=machine_learning&")
    assert link.endswith("viewStateShareKey=recurrent-overview&compareRunsMode=CHART")


def test_unknown_words_are_refused(experiment: tuple[MlflowClient, str]) -> None:
    with pytest.raises(ValueError, match="view: expected one of overview, leaderboard"):
        dashboard_link("", "1", "dashboard")
    with pytest.raises(ValueError, match="direction: expected min or max, got 'down'"):
        write_views(*experiment, "mse", "down")


def test_floors_are_lines_beside_the_curves_of_the_score(experiment: tuple[MlflowClient, str]) -> None:
    assert write_views(*experiment, "mse", "min", floors=["no_memory", "half_memory"])
    charts = state_of(experiment, "overview")["compareRunCharts"]
    lines = {chart["metricKey"]: chart for chart in charts if chart["type"] == "LINE"}
    floors = ["floor/no_memory", "floor/half_memory"]
    assert lines["val_mse"]["selectedMetricKeys"] == ["val_mse", *floors]
    assert lines["loss"]["selectedMetricKeys"] == ["loss"], "a floor is a score"
    assert {key: chart["deleted"] for key, chart in lines.items()} == {
        "val_mse": False,
        "loss": False,
        **dict.fromkeys(floors, True),
    }, "no chart of a floor alone"
