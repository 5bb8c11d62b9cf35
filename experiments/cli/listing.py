"""The list of all searches in a store, one line each."""

import sys
from datetime import datetime
from typing import Any

from tracking.errors import BadInput

STATES = {"FINISHED": "done", "RUNNING": "running", "KILLED": "stopped", "FAILED": "failed"}  # MLflow's words


def line(search: Any) -> dict[str, Any]:
    """One search in the list of all searches, from its parent run."""
    from tracking.marks import marks_in
    from tracking.searches import search_name, spec_of
    from tracking.verdict import verdict

    spec, metrics = spec_of(search), search.data.metrics
    best = metrics.get(f"best/{spec['metric']}")
    judged = verdict(best, spec["direction"], **marks_in(search, spec["metric"]))
    done = int(metrics["trials/done"]) if "trials/done" in metrics else None
    return {
        "search": search_name(search),
        "task": spec["task"],
        "metric": spec["metric"],
        "best": best,
        "verdict": None if judged is None else str(judged),
        "status": search.info.status,
        "begun": datetime.fromtimestamp(search.info.start_time / 1000).astimezone().isoformat(timespec="seconds"),
        "done": done,
        "planned": done if done is not None and search.info.status == "FINISHED" else _planned(spec, done),
        **_here(search),
    }


def _planned(spec: dict[str, Any], done: int | None) -> int | None:
    """How many trials a search will have; None if they fill its time."""
    from experiments.config.spec import UNLIMITED

    planned: int | None = spec.get("trials", done)
    return None if planned == UNLIMITED else planned


def _here(search: Any) -> dict[str, Any]:
    """What the folder of a search says: its size, and whether `--resume` in this folder goes on with the search."""
    from experiments.config.folders import SEARCHES, SearchFolder
    from experiments.config.spec import Spec
    from tracking.searches import is_of, search_name

    folder = SearchFolder(SEARCHES / search_name(search))
    try:
        own = folder.spec.exists() and is_of(search, Spec.read(folder).to_json())
    except BadInput:  # the list has searches with damaged folders, too
        own = False
    if not own:
        return {"bytes": None, "resumable": False}
    return {"bytes": folder.size(), "resumable": search.info.status != "FINISHED" and not folder.is_held()}


def none(uri: str) -> str:
    """What is said of a store without a search."""
    from tracking.searches import deleted_searches
    from tracking.store import connect, working

    with working(uri):
        deleted = sorted(deleted_searches(connect(uri)))
    if not deleted:
        return f"no search in {uri} yet"
    ways = "`recurrent sync NAME` restores one whose folder is here"
    return f"no search in {uri}; deleted in MLflow: {', '.join(deleted)}; {ways}"


def line_or_warning(search: Any) -> dict[str, Any] | None:
    """What `line` returns. For a search whose settings cannot be read it prints a warning and returns None."""
    from tracking.errors import SearchStateError

    try:
        return line(search)
    except SearchStateError as error:
        print(f"recurrent results: {error}", file=sys.stderr)
        return None


def listed(found: list[dict[str, Any]]) -> str:
    """The list of all searches as text, one line each, in columns."""
    rows = [_texts(one) for one in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (zip(row, widths, strict=True) for row in rows)
    return "\n".join("  ".join(text.ljust(width) for text, width in line).rstrip() for line in lines)


def _texts(one: dict[str, Any]) -> list[str]:
    from experiments.tasks.loading.find import title
    from tracking.text import format_amount, format_number, metric_name

    done = "-" if one["done"] is None else one["done"]
    size = "-" if one["bytes"] is None else f"{format_amount(one['bytes'])}B"
    state = STATES.get(one["status"], one["status"])
    if one["resumable"]:
        state = f"{'failed' if one['status'] == 'FAILED' else 'stopped'}, --resume goes on"
    worth = f", {one['verdict']}" if one["verdict"] else ""
    score = f"{metric_name(one['metric'])} {format_number(one['best'])}{worth}"
    begun = one["begun"][:16].replace("T", " ")
    planned = "" if one["planned"] is None else f"/{one['planned']}"
    return [one["search"], title(one["task"]), score, f"{done}{planned} trials", begun, size, state]
