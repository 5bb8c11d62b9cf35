"""All that MLflow finds, and not only its first page: 1,000 experiments or runs, 100 models."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Experiment, LoggedModel, Run, ViewType
from mlflow.store.entities.paged_list import PagedList

T = TypeVar("T")
# Runs in one answer, of a file and of a server. A server must answer within 10 s, and a page of 1,000 runs took longer
# on a busy machine: then no launcher could begin.
PAGE, SERVER_PAGE = 1_000, 100
AT_ONCE = 1_000  # experiments named in one request; a database takes a limited number of values in a query


def pages(ask: Callable[..., PagedList[T]], *arguments: Any, **named: Any) -> Iterator[T]:
    """What `ask(*arguments, **named)` finds. A page is asked for when the one before has been used up."""
    page = ask(*arguments, **named)
    yield from page
    while page.token:
        page = ask(*arguments, **named, page_token=page.token)
        yield from page


def all_pages(ask: Callable[..., PagedList[T]], *arguments: Any, **named: Any) -> list[T]:
    """The same as a list."""
    return list(pages(ask, *arguments, **named))


def experiments(client: MlflowClient, view: int = ViewType.ACTIVE_ONLY) -> list[str]:
    """The ids of all experiments. `view` is active ones, or all."""
    found: list[Experiment] = all_pages(client.search_experiments, view)
    return [experiment.experiment_id for experiment in found]


def runs(client: MlflowClient, experiment_ids: list[str], *filters: str, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
    """The runs that fit one of the filters, each once, the oldest first. `view` is active or deleted runs."""
    return sorted(each_run(client, experiment_ids, *filters, view=view), key=lambda run: run.info.start_time)


def each_run(
    client: MlflowClient, experiment_ids: list[str], *filters: str, view: int = ViewType.ACTIVE_ONLY
) -> Iterator[Run]:
    """The same runs, filter after filter. A run with its data takes 50 kB, so nobody may keep many of them."""
    seen: set[str] = set()
    most = PAGE if str(client.tracking_uri).startswith("sqlite:") else SERVER_PAGE
    for where in filters:
        for start in range(0, len(experiment_ids), AT_ONCE):
            some = experiment_ids[start : start + AT_ONCE]
            # A page is a number of runs to skip. In this order runs that come meanwhile stand at the end.
            order = ["attributes.start_time ASC"]
            each: Iterator[Run] = pages(client.search_runs, some, where, view, max_results=most, order_by=order)
            for run in each:
                if run.info.run_id not in seen:
                    seen.add(run.info.run_id)
                    yield run


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
