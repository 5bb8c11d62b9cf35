"""Exports a model of a search: from its name in the record to a folder. Commands and scripts call this."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from experiments.launcher.trust import code_to_run
from experiments.system.quiet import quiet
from experiments.tasks.loading.copied import Copy
from experiments.tasks.loading.places import Source, absolute
from experiments.training.saved import drop_optimizer
from experiments.training.scoring import scorer
from tracking.errors import BadInput

if TYPE_CHECKING:
    from tracking.choosing import Choice


def export_search(
    name: str,
    uri: str,
    to: Path,
    warn: Callable[[str], None],
    *,
    choice: "Choice | None" = None,
    task: str = "",
    options: Mapping[str, str] | None = None,
    with_optimizer: bool = False,
    trust_task: bool = False,
) -> dict[str, Any]:
    """Writes the model, reloaded and re-scored, and returns its card, what `model.json` holds.

    Args:
        name, uri: of the search and its store.
        to: a new folder, or an earlier export of this search.
        warn: is told what is not as it should be, and keeps no model from being exported.
        choice: which model; None for the best one, or that of complete finals.
        task, options: where the data are now, if not where the search had them: a file, or the text of the task.
        with_optimizer: keep the optimizer with its state.
        trust_task: run the code of a task that comes from a server.

    Raises as `tracking.export.export`, `code_to_run` and `existing_search` do.
    """
    from tracking.choosing import BEST
    from tracking.export import export
    from tracking.searches import existing_search, spec_of
    from tracking.store import working

    client, search = existing_search(name, uri)
    spec = spec_of(search)
    with quiet(), working(uri), TemporaryDirectory() as folder:
        prepare = _as_logged if with_optimizer else drop_optimizer
        copy = code_to_run(client, search, spec, trust_task, Path(folder))
        score = scorer(spec, _folders(uri), _given(task, options or {}, spec, copy), copy)
        return export(client, uri, search, to, score, prepare, warn, choice or BEST)


def choice_of(trial: int | None, cell: str | None, most: int | None, prefer: str | None) -> "Choice":
    """Which model is asked for. Raises BadInput for a trial with something else, since a trial has one model."""
    from tracking.choosing import Choice

    others = {"--cell": cell, "--max-parameters": most, "--prefer": prefer}
    given = [flag for flag, value in others.items() if value is not None]
    if trial is not None and given:
        raise BadInput(f"--trial: expected it without {given[0]}, got both: a trial has one model")
    return Choice(trial, cell, most, prefer)


def _folders(uri: str) -> list[Path]:
    """Where the search may have had its data: this folder, and that of a store that is a file."""
    from tracking.store import database

    file = database(uri)
    return [Path(), *([file.parent] if file else [])]


def _given(task: str, options: Mapping[str, str], spec: dict[str, Any], copy: Copy | None) -> list[Source]:
    """Where the user says that the data are."""
    if not task and not options:
        return []
    return [absolute(task or spec["task"], {**spec["options"], **options}, copy)]


def _as_logged(file: Path) -> None:
    """Leaves the file as it was logged, with the optimizer."""
