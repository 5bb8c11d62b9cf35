"""Exports a model of a search: from its name in the record to a folder. Commands and scripts call this."""

import math
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
    from tracking.deploy.pack import Packing


def export_search(
    name: str,
    uri: str,
    to: Path,
    warn: Callable[[str], None],
    *,
    choice: "Choice | None" = None,
    packing: "Packing | None" = None,
    task: str = "",
    options: Mapping[str, str] | None = None,
    with_optimizer: bool = False,
    trust_task: bool = False,
) -> dict[str, Any]:
    """Writes the model, reloaded and re-scored, and returns its card, what `model.json` holds.

    Long because it describes its arguments.

    Args:
        name, uri: of the search, or models:/MODEL@alias, and its store.
        to: a new folder, or an earlier export of this search.
        warn: is told what is not as it should be, and keeps no model from being exported.
        choice: which model; None for the best one, or that of complete finals.
        packing: the formats; None for Keras' own alone.
        task, options: where the data are now, if not where the search had them: a file, or the text of the task.
        with_optimizer: keep the optimizer with its state.
        trust_task: run the code of a task that comes from a server.

    Raises as `tracking.export.export`, `code_to_run` and `existing_search` do.
    """
    from tracking.choosing import BEST
    from tracking.deploy.pack import PLAIN, check
    from tracking.export import export
    from tracking.registry import PREFIX
    from tracking.searches import existing_search, spec_of
    from tracking.store import working

    check(packing or PLAIN)
    if name.startswith(PREFIX):
        if choice not in (None, BEST):
            raise BadInput(f"NAME: expected {name!r} alone, got it with {choice}: a registered model is one model")
        name, choice = _registered(name, uri)
    client, search = existing_search(name, uri)
    spec = spec_of(search)
    with quiet(), working(uri), TemporaryDirectory() as folder:
        copy = code_to_run(client, search, spec, trust_task, Path(folder))
        score = scorer(spec, _folders(uri), _given(task, options or {}, spec, copy), copy)
        prepare = _as_logged if with_optimizer else drop_optimizer
        return export(client, uri, search, to, score, prepare, warn, choice, packing or PLAIN)


def choice_of(
    trial: int | None, cell: str | None, most: int | None, prefer: str | None, run: str | None = None
) -> "Choice":
    """Which model is asked for. Raises BadInput for a trial or a run with something else, since it has one model."""
    from tracking.choosing import Choice

    given = {"--run": run, "--trial": trial, "--cell": cell, "--max-parameters": most, "--prefer": prefer}
    flags = [flag for flag, value in given.items() if value is not None]
    if len(flags) > 1 and flags[0] in ("--run", "--trial"):
        raise BadInput(f"{flags[0]}: expected it without {flags[1]}, got both: a {flags[0][2:]} has one model")
    return Choice(trial, cell, most, prefer, run)


def _registered(which: str, uri: str) -> tuple[str, "Choice"]:
    """(the search, which of its models) of a registered model."""
    from tracking.choosing import Choice
    from tracking.registry import logged_model
    from tracking.store import connect, working
    from tracking.tags import ours

    with working(uri):
        model = logged_model(connect(uri), which)
    return ours(model.tags)["search_id"], Choice(run=model.source_run_id)  # the search may have been renamed


def packing_of(names: str, length: int | None, quantize: str, tolerance: float) -> "Packing":
    """Which formats are asked for. Raises BadInput for an unknown one, and for options of LiteRT without it."""
    from tracking import formats
    from tracking.deploy.pack import QUANTIZED, Packing

    found = formats.parse(names)
    if quantize not in QUANTIZED:
        raise BadInput(f"--quantize: expected {', '.join(QUANTIZED)}, got {quantize!r}")
    if not 0 <= tolerance < math.inf:
        raise BadInput(f"--tolerance: expected a finite number from 0, got {tolerance}")
    if "litert" not in found:
        given = {"--length": length is not None, "--quantize": quantize != "none"}
        if wrong := [flag for flag, asked in given.items() if asked]:
            raise BadInput(f"{wrong[0]}: expected it with --format litert, got --format {names}")
    return Packing(tuple(found), names == formats.ALL, length or 0, quantize, tolerance)


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
