"""All that MLflow finds, and not only its first page: 1,000 experiments or runs, 100 models."""

from collections.abc import Callable
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Experiment, LoggedModel, Run, ViewType
from mlflow.store.entities.paged_list import PagedList

T = TypeVar("T")
AT_ONCE = 1_000  # experiments named in one request; a database takes a limited number of values in a query


def all_pages(ask: Callable[..., PagedList[T]], *arguments: Any, **named: Any) -> list[T]:
    """What `ask(*arguments, **named)` finds, page after page."""
    page = ask(*arguments, **named)
    found = list(page)
    while page.token:
        page = ask(*arguments, **named, page_token=page.token)
        found += page
    return found


def experiments(client: MlflowClient, view: int = ViewType.ACTIVE_ONLY) -> list[str]:
    """The ids of all experiments. `view` is active ones, or all."""
    found: list[Experiment] = all_pages(client.search_experiments, view)
    return [experiment.experiment_id for experiment in found]


def runs(client: MlflowClient, experiment_ids: list[str], *filters: str, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
    """The runs that fit one of the filters, each once, the oldest first. `view` is active or deleted runs."""
    found: dict[str, Run] = {}
    for where in filters:
        for start in range(0, len(experiment_ids), AT_ONCE):
            some = experiment_ids[start : start + AT_ONCE]
            # A page is a number of runs to skip. In this order runs that come meanwhile stand at the end.
            page: list[Run] = all_pages(client.search_runs, some, where, view, order_by=["attributes.start_time ASC"])
            found |= {run.info.run_id: run for run in page}
    return sorted(found.values(), key=lambda run: run.info.start_time)


def deleted_runs(client: MlflowClient, *filters: str) -> list[Run]:
    """The runs in MLflow's trash that fit one of the filters, also those of deleted experiments, the oldest first."""
    return runs(client, experiments(client, ViewType.ALL), *filters, view=ViewType.DELETED_ONLY)


def models(client: MlflowClient, experiment_id: str, *filters: str) -> list[LoggedModel]:
    """The logged models that fit one of the filters, each once, the newest first. Half-made ones are among them."""
    found: dict[str, LoggedModel] = {}
    for where in filters:
        page: list[LoggedModel] = all_pages(client.search_logged_models, [experiment_id], filter_string=where)
        found |= {model.model_id: model for model in page}
    return sorted(found.values(), key=lambda model: -model.creation_timestamp)
