"""How a search was made: the command that repeats it, its settings, and what it ran with."""

import json
import shlex
from datetime import datetime
from typing import Any

from tracking.report.gather import Search
from tracking.report.tables import Table
from tracking.text import format_duration, format_memory

# Settings that are no options of the command line, or are given in other words.
APART = (
    *("name", "task", "options", "digest", "code", "id", "reading", "versions", "commit", "keras", "machine"),
    *("metric", "direction", "cells", "solved"),
)
ACROSS = 3  # settings beside each other
SAME_AS_NONE = (None, False, "", "none", "auto", "default", "all")


def command(spec: dict[str, Any]) -> str:
    """The command line that begins the same search, with every option that is not the plainest value."""
    words = ["recurrent", "search", spec["task"]]
    words += [word for key, value in spec["options"].items() for word in ("-o", f"{key}={value}")]
    cells = spec.get("cells")
    words += ["--cells", ",".join(cells)] if cells else []
    for name, value in spec.items():
        if name in APART or value in SAME_AS_NONE or isinstance(value, dict | list):
            continue
        flag = f"--{name.replace('_', '-')}"
        words += [flag] if value is True else [flag, str(value)]
    return shlex.join([*words, "--name", spec["name"]])


def facts(search: Search) -> Table:
    """What is needed to repeat a search, a row for each fact."""
    spec, tags = search.spec, search.tags
    versions = spec.get("versions", {})
    ended = (
        f" to {_time(search.ended)} ({format_duration(search.ended - search.begun)})"
        if search.ended
        else ", still running"
    )
    rows = [
        ["task", f"{spec['task']} {json.dumps(spec['options']) if spec['options'] else ''}".strip()],
        ["seed", str(spec["seed"])],
        ["time", f"{_time(search.begun)}{ended}"],
        ["ended because", search.found["stopped"] or "-"],
        ["data, digest", spec["digest"]],
        ["commit", spec.get("commit") or tags.get("commit") or "not known"],
        ["versions", ", ".join(f"{name} {version}" for name, version in versions.items())],
        ["machine", machine(spec)],
        ["workers", str(len({trial["worker"] for trial in search.trials}))],
        ["kernels", ", ".join(sorted({trial["kernel"] for trial in search.trials if trial["kernel"]})) or "-"],
    ]
    return Table(["", ""], rows, words=2)


def settings(search: Search) -> Table:
    """All settings of the search, by the names of their options."""
    shown = {name: value for name, value in search.spec.items() if name not in APART or name == "cells"}
    pairs = [[f"--{name.replace('_', '-')}", _text(value)] for name, value in shown.items()]
    long = -(-len(pairs) // ACROSS)
    rows = [[text for pair in pairs[row::long] for text in pair] for row in range(long)]
    return Table(["setting", "value"] * ACROSS, rows, words=2 * ACROSS)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "all"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ", timespec="minutes")


def machine(spec: dict[str, Any]) -> str:
    """The machine in words; searches of an earlier version did not note it."""
    found = spec.get("machine")
    if not found:
        return "not noted"
    return f"{found['cores']} cores, {format_memory(found['memory'])} of memory, {found['system']}"
