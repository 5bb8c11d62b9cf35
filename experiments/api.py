"""Searches from Python, in a script or a notebook: the same as the command line.

    from experiments import search

    found = search("adding", options={"length": 50}, cells=["lstm", "gru"], trials=8)
    print(found.answer)
    found.table

A search lies in `searches/NAME/` of the current folder and in an MLflow store, as that of `recurrent search` does. Both
ways see each other's searches. What a user can mend is an error of `experiments.errors`.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Unpack

from experiments.config.given import Options, by_arguments, fields_of, option_text
from experiments.config.units import parse_name
from experiments.engines import WorkersDied
from experiments.launcher import settings
from experiments.launcher.found import Found
from experiments.launcher.progress import TrialState
from experiments.launcher.retrained import check_end
from experiments.system.console import console
from experiments.system.environment import environment
from experiments.tasks.loading import modules
from tracking.errors import BadInput, SearchStateError

__all__ = ["Found", "Options", "open_search", "search"]


def search(
    task: str | os.PathLike[str],
    *,
    options: Mapping[str, Any] | None = None,
    name: str | None = None,
    resume: bool = False,
    workers: int | str = "auto",
    engine: str = "local",
    address: str | None = None,
    workers_per_gpu: int = 1,
    tracking_uri: str | None = None,
    show: bool = True,
    on_trial: Callable[[dict[str, Any]], object] | None = None,
    **more: Unpack[Options],
) -> Found:
    """Trains many candidates on a task, every trial logged to MLflow. Returns what it has found, when it has ended.

    Long because it describes its arguments.

    Args:
        task: a task of `recurrent tasks`, or a file: DATA.npz, PAIRS.tsv or TASK.py.
        options: of the task, for example {"length": 50}.
        name: of the search, new in the store. None: the task and a free number.
        resume: go on with the search of this name, or begin it.
        workers: the number of processes; "auto": one per GPU, else one per core, as memory allows.
        engine: where they run: "local", or "ray" for the nodes of a Ray cluster.
        address: HOST:PORT of the head of the Ray cluster.
        workers_per_gpu: workers that share a GPU, each with a part of its memory.
        tracking_uri: the MLflow store. None: $MLFLOW_TRACKING_URI, else mlflow.db in the current folder.
        show: print what the command prints, in a notebook with a live table.
        on_trial: is called with each trial that has ended, in the thread of the search: a dictionary with `trial`,
            `architecture`, `values`, `score`, `spread`, `last_score`, `outcome`, `reason`, `parameters` and `seconds`,
            as docs/results-json.md describes them. An error that it raises stops the search and comes out of this call;
            the search can be resumed.
        more: the options of the command line, with _ for -; see `Options`.

    Raises:
        BadInput, DataError, StoreError: before anything is trained, for what the command would refuse.
        SearchStateError: the name is taken, the search runs already, no worker can run, or the disk is full.
        KeyboardInterrupt: after Ctrl-C in the main thread. The search has stopped cleanly then; `resume` goes on. A
            second Ctrl-C stops it at once. In another thread no signal is heard: an error of `on_trial` stops a search.
    """
    from experiments.launcher.engine import where
    from experiments.launcher.finals import at_least
    from experiments.launcher.launch import Launch

    began = time.time()
    with by_arguments(), environment():
        modules.forget()  # a file of the user's may have changed since an earlier search of this process
        uri, name = _uri(tracking_uri), None if name is None else _name(name)
        texts = {key: option_text(f"options {key}", value) for key, value in (options or {}).items()}
        spec, made = settings.search_spec(os.fspath(task), texts, name, resume, uri, **fields_of(more))
        place = where(engine, address, str(workers), str(workers_per_gpu))
        screen = console(quiet=not show)
        tell = _teller(on_trial)
        launch = Launch(spec, made, resume, place, uri, screen, unnamed=name is None, began=began, tell=tell)
        try:
            ended = launch.run()
        except WorkersDied as error:
            raise SearchStateError(str(error)) from error
    check_end(launch.spec.name, ended, launch.sent, "resume=True goes on with it")
    found = Found(launch.spec.name, uri)
    if launch.spec.finals:
        top, limit = at_least(found.name, launch.spec.finals), launch.spec.finals_time_limit
        how: dict[str, Any] = {"workers": workers, "engine": engine, "address": address}
        found.finals(top=top, **how, workers_per_gpu=workers_per_gpu, time_limit=limit, show=show)
    return found


def open_search(name: str, *, tracking_uri: str | None = None) -> Found:
    """What an earlier search has found, or one that runs now. It is read from MLflow alone.

    Raises:
        SearchStateError: the store has no search of this name.
        StoreError: there is no store, or it does not answer.
    """
    with by_arguments(), environment():
        found = Found(name, _uri(tracking_uri))
        found.results  # noqa: B018  a search that is not there is refused now
    return found


def _teller(on_trial: Callable[[dict[str, Any]], object] | None) -> Callable[[list[TrialState]], None]:
    """What the launcher calls with the trials that have just ended. After an error `on_trial` is not called again."""
    callbacks = [] if on_trial is None else [on_trial]

    def tell(ended: list[TrialState]) -> None:
        for trial in ended:
            for callback in callbacks[:]:
                callbacks.clear()  # the launcher looks at the trials once more while an error ends the search
                callback(_told(trial))
                callbacks.append(callback)

    return tell


def _told(trial: TrialState) -> dict[str, Any]:
    """What `on_trial` gets."""
    names = ("architecture", "score", "spread", "last_score", "outcome", "reason", "parameters", "seconds")
    values = {key: value for key, value in trial.values.items() if key != "architecture"}
    return {"trial": trial.name, "values": values, **{name: getattr(trial, name) for name in names}}


def _uri(uri: str | None) -> str:
    from tracking.store import resolve

    return resolve(uri)


def _name(name: str) -> str:
    try:
        return parse_name(name)
    except BadInput as error:
        raise BadInput(f"name: {error}") from None
