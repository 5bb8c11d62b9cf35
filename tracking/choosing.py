"""Which model of a search is handed over: the best one, that of a trial, of a cell, or one that is small enough."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Run

from tracking.errors import BadInput, SearchStateError
from tracking.models import logged_models
from tracking.ranking import NONE, preference, preferred
from tracking.results import ranked, results
from tracking.searches import search_name
from tracking.standing import candidates
from tracking.text import did_you_mean, format_count

Trial = dict[str, Any]  # as `results` describes it


@dataclass(frozen=True)
class Choice:
    """What is asked of the model.

    Args:
        trial: the number of the trial; None for any. With it nothing else is asked.
        cell: of the model, None for any.
        most: parameters that it may have, None for any number.
        prefer: as `--prefer` is typed; None for that of the search.
        run: the id of the MLflow run whose model it is, that of a trial or of a final; with it nothing else is asked.
    """

    trial: int | None = None
    cell: str | None = None
    most: int | None = None
    prefer: str | None = None
    run: str | None = None

    def __str__(self) -> str:
        """For people, for example "the best one of lstm with at most 20,000 parameters"."""
        if self.trial is not None:
            return f"trial {self.trial:04d}"
        if self.run is not None:
            return f"the model of the run {self.run}"
        words = f"the best one{'' if self.prefer in (None, NONE) else f' by --prefer {self.prefer}'}"
        words += f" of {self.cell}" if self.cell else ""
        return words + (f" with at most {format_count(self.most)} parameters" if self.most is not None else "")


BEST = Choice()


def chosen(client: MlflowClient, parent: Run, choice: Choice, warn: Callable[[str], None]) -> tuple[LoggedModel, Trial]:
    """The model, and its trial as `results` describes it.

    Args:
        warn: is told if a better one fits whose model is not kept.

    Raises BadInput if no trial fits, and SearchStateError if the model of none that fits is kept.
    """
    found, name = results(client, parent, choice.prefer), search_name(parent)
    if not ranked(found):
        raise SearchStateError(f"export: expected a search with a completed trial, got {name!r}, which has none")
    fitting, models = _fitting(found, choice), logged_models(client, parent)
    first, there = _first(found, fitting), [trial for trial in fitting if trial["run_id"] in models]
    unsure = found["status"] != "FINISHED"  # it was killed or runs: then a better model may be on its way
    if not there or (unsure and first not in there and first["score"] != _first(found, there)["score"]):
        wanted = _named(first) if choice.trial is not None else f"{choice}, {_named(first)}"
        why = "a search keeps the models that no other one beats in score and size"
        if unsure or not models:
            why = f"`recurrent search … --name {name} --resume` sends what is still on disk"
        flag = "export" if choice.trial is None else "--trial"
        raise SearchStateError(f"{flag}: expected the model of {wanted}, got {_kept(found, models)}; {why}")
    taken = _first(found, there)
    if taken is not first:
        warn(f"{_named(first)} comes first, but its model is not kept; this is {_named(taken)}")
    return models[taken["run_id"]], taken


def _fitting(found: dict[str, Any], choice: Choice) -> list[Trial]:
    """The completed trials that fit, best first. Raises BadInput if there is none."""
    if choice.trial is not None:
        return [_numbered(found, choice.trial)]
    fitting = ranked(found)
    if choice.cell is not None:
        cells = sorted({trial["values"]["cell"] for trial in fitting})
        fitting = [trial for trial in fitting if trial["values"]["cell"] == choice.cell]
        if not fitting:
            known = f"a cell with a completed trial ({', '.join(cells)})"
            raise BadInput(f"--cell: expected {known}, got {choice.cell!r}{did_you_mean(choice.cell, cells)}")
    if choice.most is not None:
        least = min((trial["parameters"] for trial in fitting if trial["parameters"]), default=None)
        fitting = [trial for trial in fitting if trial["parameters"] and trial["parameters"] <= choice.most]
        if not fitting:
            known = f"at least {format_count(least)}, the size of the smallest completed one"
            raise BadInput(f"--max-parameters: expected {known}, got {format_count(choice.most)}")
    return fitting


def _numbered(found: dict[str, Any], number: int) -> Trial:
    trial = next((trial for trial in found["trials"] if int(trial["trial"]) == number), None)
    if trial is None:
        numbers = [int(trial["trial"]) for trial in found["trials"]]
        raise BadInput(f"--trial: expected a trial of the search, {min(numbers)} to {max(numbers)}, got {number}")
    if trial["score"] is None:
        what = trial["outcome"] or "running"
        raise BadInput(f"--trial: expected a completed trial, which alone has a model, got {number}, which is {what}")
    return trial


def _first(found: dict[str, Any], trials: list[Trial]) -> Trial:
    """Which of some trials comes first, by the preference that `results` was given."""
    wish = preference(found["prefer"])
    first = preferred(candidates(trials), found["direction"], wish, found["floors"])
    return next(trial for trial in trials if first is not None and int(trial["trial"]) == first.number)


def _named(trial: Trial) -> str:
    return f"trial {trial['trial']} {trial['architecture']}"


def _kept(found: dict[str, Any], models: dict[str, LoggedModel]) -> str:
    """The models that are kept, for a message."""
    kept = [trial for trial in ranked(found) if trial["run_id"] in models]
    names = [f"{trial['trial']} {trial['architecture']} ({format_count(trial['parameters'])})" for trial in kept]
    return f"those of {', '.join(names)} parameters, which are kept" if names else "none"
