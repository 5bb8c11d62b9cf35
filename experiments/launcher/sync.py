"""Sends to MLflow what the journals of a search say. Nothing is trained."""

import dataclasses
import json
import shlex
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from experiments.config import estimate
from experiments.config.finals import Plan
from experiments.config.folders import SearchFolder, is_running, try_acquire
from experiments.config.spec import Spec
from experiments.launcher.card import describe
from experiments.launcher.finals_opening import FinalsOpening
from experiments.launcher.opening import Opening
from experiments.launcher.progress import Progress
from experiments.launcher.trained_opening import TrainedOpening
from experiments.tasks.loading import find
from experiments.tasks.loading.code import checked
from experiments.tasks.loading.places import source_of
from tracking.errors import SearchStateError


@dataclasses.dataclass(frozen=True)
class Sent:
    """What a store has been sent.

    Args:
        whole: it took all.
        restored: runs that were deleted in it, and are there again.
        made: trials that it did not have.
    """

    whole: bool
    restored: int
    made: int


def sync(folder: SearchFolder, uri: str, warn: Callable[[str], None]) -> Sent:
    """Sends a search to MLflow. Runs that were deleted there come back.

    Raises SearchStateError if the search is running, or if the folder has another name than its search. For a search
    without `task.json` the data are made again. Raises DataError if they are no longer the data of the search.
    """
    # A running launcher holds this lock and sends its search itself.
    # Two senders at the same time could make two runs for one trial.
    if not try_acquire(folder.launcher_lock):
        raise SearchStateError(is_running("NAME", folder.path.name))
    try:
        spec = Spec.read(folder)
        _check_name(folder, spec, uri)
        described = described_in(folder, spec)
        facts = json.loads(folder.spec.read_text("utf-8"))  # with the versions that ran the search, not ours
        opening = Opening(uri, folder, facts, described, uuid.uuid4().hex, False, warn)
        record = opening.record()
        record.open_now()
        status, why = _end(folder, spec, described["direction"])
        whole = record.finish(status, lambda: opening.log_models(record), why)
        restored, made = opening.restored, record.projection.made
        for place in (folder.finals, *folder.all_trained().values()):
            if (plan := Plan.read(place)) is None or not place.journal.path.exists():
                continue
            again = (TrainedOpening if plan.start else FinalsOpening)(
                uri, folder, facts, described, uuid.uuid4().hex, plan, warn
            )
            record = again.record()
            record.open_now()
            whole &= record.finish("", partial(again.log_best, record), last_end(place))
            restored, made = restored + again.restored, made + record.projection.made
        return Sent(whole, restored, made)
    finally:
        folder.launcher_lock.release()


def _check_name(folder: SearchFolder, spec: Spec, uri: str) -> None:
    """Raises SearchStateError for a copy of a search beside it. Its journals may be older than those of the search."""
    from tracking.store import uri_arguments

    if (name := folder.path.name) != spec.name:
        new, ended = (
            shlex.join(["recurrent", "rename", *words, *uri_arguments(uri)])
            for words in ((name, "--new-id"), (spec.name, name))
        )
        raise SearchStateError(
            f"NAME: expected the folder of the search {spec.name!r}, got {folder.path}, a copy of it or its new name;"
            f" `{new}` makes it a search of its own, `{ended}` ends a rename"
        )


def described_in(folder: SearchFolder, spec: Spec) -> dict[str, Any]:
    """What the folder of a search says of its task and its data."""
    with suppress(OSError, ValueError):
        return dict(json.loads(folder.task.read_text("utf-8")))
    # The search is of an early version, was killed before it began, or its file is damaged.
    copy = checked(spec.code, folder.code)
    return describe(find.make(*source_of(spec.to_json(), (Path(),), copy=copy), spec.reading, copy))


def last_end(folder: SearchFolder) -> str:
    """Why the last launcher of a folder has ended; "its launcher was killed" if it has not written it."""
    events = folder.journal.events()
    return str(events[-1]["why"]) if events and events[-1]["event"] == "end" else "its launcher was killed"


def _end(folder: SearchFolder, spec: Spec, direction: str) -> tuple[str, str]:
    """(MLflow's status, why) of the search's end: what its last launcher wrote, else what the trials say."""
    events = folder.journal.events()
    if events and events[-1]["event"] == "end":
        return events[-1]["status"], events[-1]["why"]
    planned = estimate.planned_trials(spec, estimate.space_size(spec))
    left = Progress(folder.path / "trials", direction, planned, 1, spec.finished_cells).left()
    return ("KILLED", "its launcher was killed") if left else ("FINISHED", "done")
