"""The runs of trials that MLflow has already, in few words. A search may have 100,000 of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Run, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from tracking.children import each_trial
from tracking.recording import CURVES
from tracking.searches import spec_id
from tracking.sent import SentTrial
from tracking.tags import is_new, ours, renewed


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run of a trial.

    Args:
        outcome: its tag; "" while the trial runs.
        curves: its tag; see recording.py.
        parent: the id of the run that it stands below.
        lacks: an earlier version has sent it without what it has reached.
        old: all its tags, if an earlier version has written them.
        metrics, began: tell second runs of a trial from its first one.
    """

    run_id: str
    status: str
    outcome: str
    curves: str
    parent: str
    lacks: bool
    old: Mapping[str, str] | None
    metrics: int
    began: int


def adopt(
    client: MlflowClient,
    parent: Run,
    metric: str,
    which: Mapping[str, str],
    trial_of: Callable[[str], SentTrial],
    only: str = "",
) -> None:
    """Takes over the runs in MLflow, one for each trial. Further runs, which slow servers make, are deleted.

    Args:
        metric: of the score.
        which: as in `child_tags`.
        trial_of: gives the trial of a number.
        only: the runs of this trial; "" for all.
    """
    for name, runs in _known_runs(client, parent, metric, {**which, **({"trial": only} if only else {})}).items():
        trial = trial_of(name)
        kept = next((run for run in runs if run.run_id == trial.run_id), runs[0])
        for run in runs:
            if run is not kept:
                client.delete_run(run.run_id)
        if trial.run_id is None:
            trial.run_id, trial.status, trial.outcome = kept.run_id, kept.status, kept.outcome
            trial.lacks, trial.curves = kept.lacks, kept.curves
        if kept.old is not None:  # they get the names that they have now
            tags = renewed(kept.old, spec_id=spec_id(parent))
            client.log_batch(kept.run_id, tags=[RunTag(*tag) for tag in tags.items()])
        if kept.parent != parent.info.run_id:  # the search's first run was deleted
            client.set_tag(kept.run_id, MLFLOW_PARENT_RUN_ID, parent.info.run_id)


def _known_runs(client: MlflowClient, parent: Run, metric: str, which: Mapping[str, str]) -> dict[str, list[KnownRun]]:
    """The runs of each trial, by its number. The run with the most metrics comes first."""
    found: dict[str, list[KnownRun]] = {}
    for name, run in each_trial(client, parent, **which):
        found.setdefault(name, []).append(_known(run, metric))
    for same in found.values():
        same.sort(key=lambda run: (-run.metrics, run.began))
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def _known(run: Run, metric: str) -> KnownRun:
    tags = run.data.tags
    return KnownRun(
        run.info.run_id,
        run.info.status,
        ours(tags).get("outcome", ""),
        tags.get(CURVES, ""),
        tags.get(MLFLOW_PARENT_RUN_ID, ""),
        f"reached/{metric}" not in run.data.metrics,
        None if is_new(tags) else dict(tags),
        len(run.data.metrics),
        run.info.start_time,
    )
