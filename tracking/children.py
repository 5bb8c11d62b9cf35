"""The runs below that of a search in MLflow: its trials, its finals, and trials that were trained further."""

import re
from collections.abc import Iterable, Iterator, Mapping

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from tracking.paging import each_run, experiments, runs
from tracking.searches import search_name, spec_id
from tracking.tags import filters, named, ours

TRIAL = {"kind": "trial"}
CHILDREN = ("trial", "final", "trained")  # the kinds of runs below that of a search
MOST_OF_RUN_NAME = 250  # characters in MLflow's table; a model whose layers all differ has a longer name


def all_trials(client: MlflowClient, parent: Run) -> list[Run]:
    """The child runs of a search, one per trial, in the order of their numbers."""
    return [same[0] for same in trial_runs(client, parent).values()]


def trial_runs(client: MlflowClient, parent: Run, kind: str = "trial", **tags: str) -> dict[str, list[Run]]:
    """The runs of each trial, by its number. A server that answered too late may have made a second run of a trial.

    The run with the most metrics comes first. Trials of an earlier search of this name, whose parent run was deleted,
    are left out.

    Args:
        kind: "trial", or "final" for the finals, which are numbered by themselves.
        tags: that the runs have, without the prefix.
    """
    return _in_order(each_trial(client, parent, kind, **tags))


def each_trial(client: MlflowClient, parent: Run, kind: str = "trial", **tags: str) -> Iterator[tuple[str, Run]]:
    """(number, run) of the same runs, one after another, as MLflow gives them."""
    filtered = filters(kind=kind, search_id=search_name(parent), **tags)
    yield from _own(parent, each_run(client, [parent.info.experiment_id], *filtered))


def child_runs(client: MlflowClient, parent: Run) -> list[Run]:
    """The runs of all trials and finals of a search and of its further trainings, with second runs of them."""
    return [run for kind in CHILDREN for same in trial_runs(client, parent, kind).values() for run in same]


def own_trials(parent: Run, children: list[Run]) -> dict[str, list[Run]]:
    """The trials of a search among some runs, as `trial_runs` returns them."""
    return _in_order(_own(parent, children))


def _in_order(runs: Iterable[tuple[str, Run]]) -> dict[str, list[Run]]:
    """By number; of each trial the run with the most metrics first, of equal ones the oldest."""
    found: dict[str, list[Run]] = {}
    for trial, run in runs:
        found.setdefault(trial, []).append(run)
    for same in found.values():
        same.sort(key=lambda run: (-len(run.data.metrics), run.info.start_time))
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def _own(parent: Run, children: Iterable[Run]) -> Iterator[tuple[str, Run]]:
    name, own = search_name(parent), spec_id(parent)
    for run in children:
        tags = ours(run.data.tags)
        # Early versions wrote no id.
        same = tags["spec_id"] == own if "spec_id" in tags else tags.get(MLFLOW_PARENT_RUN_ID) == parent.info.run_id
        if same and tags.get("search_id") == name and re.fullmatch(r"\d{1,9}", tags.get("trial", ""), re.ASCII):
            yield tags["trial"], run


def sessions(client: MlflowClient, name: str, own_id: str) -> set[str]:
    """The launchers that have run the trials of a search with this name and id, deleted ones too."""
    where = filters(kind="trial", search_id=name)
    found = runs(client, experiments(client, ViewType.ALL), *where, view=ViewType.ALL)
    tags = [ours(run.data.tags) for run in found]
    return {some["session"] for some in tags if "session" in some and some.get("spec_id") == own_id}


def child_tags(parent: Run, trial: str, run_name: str, which: Mapping[str, str] = TRIAL) -> dict[str, str]:
    """The tags that make a run a trial of a search, or one of its other kinds of runs.

    Args:
        which: the kind, and what else tells this run from those of other trials with the same number.
    """
    tags = {**which, "search_id": search_name(parent), "spec_id": spec_id(parent), "trial": trial}
    return {MLFLOW_RUN_NAME: run_name[:MOST_OF_RUN_NAME], MLFLOW_PARENT_RUN_ID: parent.info.run_id, **named(tags)}
