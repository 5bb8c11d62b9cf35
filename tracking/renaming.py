"""Gives a search in MLflow another name."""

from mlflow import MlflowClient
from mlflow.entities import Run, RunTag

from tracking.children import child_runs
from tracking.marks import marks_in
from tracking.models import rename_models
from tracking.searches import search_name, spec_id, spec_of
from tracking.tags import named, of_spec, renewed
from tracking.views import drop_view, write_views


def rename_search(client: MlflowClient, parent: Run, name: str) -> None:
    """Renames the models of a search, its trials, and at last its own run.

    A kill leaves the search under its old name, by which the next call finds what is left.
    """
    old, spec, run_id = search_name(parent), spec_of(parent), parent.info.run_id
    rename_models(client, parent, name)
    for run in child_runs(client, parent):
        _tag(client, run, renewed(run.data.tags, search_id=name, spec_id=spec_id(parent)))
    marks = marks_in(parent, spec["metric"])
    write_views(
        client, parent.info.experiment_id, spec["metric"], spec["direction"], (name, run_id), [*marks["floors"]]
    )
    client.update_run(run_id, name=name)
    parts = named(of_spec({**spec, "name": name}, parent.data.tags))
    drop_view(client, parent.info.experiment_id, old)
    _tag(client, parent, renewed(parent.data.tags, search_id=name, spec_id=spec_id(parent)) | parts)


def _tag(client: MlflowClient, run: Run, tags: dict[str, str]) -> None:
    client.log_batch(run.info.run_id, tags=[RunTag(*tag) for tag in tags.items()])
