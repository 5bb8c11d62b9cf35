"""Recipes as typed on the command line: what `--recipe` opens, and what the words mean."""

from typing import Any

from experiments.config.ranges import real
from experiments.config.spec import Spec
from experiments.tasks.base import Task
from search_spaces.recipe import BIASED, INITS, KNOWN, OPTIMIZERS, Recipe, inits
from tracking.errors import BadInput

OWN = "default"  # of --bias: each cell's own
SWITCH = {"no": 0, "yes": 1}


def opened(task: Task, cells: list[str]) -> dict[str, str]:
    """The spec's values with `--recipe`: every dimension that the task allows and that one of the cells has."""
    both = ",".join(SWITCH)
    found = {"init": ",".join(KNOWN), "clip": "0.25,1,5", "optimizer": ",".join(OPTIMIZERS), "residual": both}
    found |= {"bias": "0,1,2,5,10"} if set(cells) & set(BIASED) else {}
    return found | ({"bidirectional": both} if _ends_alone(task) else {})


def recipe(spec: Spec, task: Task) -> Recipe:
    """The recipe dimensions of a search. Raises BadInput."""
    found = dimensions(spec)
    if any(found["bidirectional"]) and not _ends_alone(task):
        expected = "no for a task that is answered at every step: it would see what follows"
        raise BadInput(f"--bidirectional: expected {expected}, got {spec.bidirectional!r}")
    return Recipe(**found, longest=max(2, task.reach) if "chrono" in found["inits"] else None)


def dimensions(spec: Spec) -> dict[str, Any]:
    """Arguments of `Recipe`, as far as they need no task. Raises BadInput."""
    how = _words("--init", spec.init, list(KNOWN))
    for cell in spec.cells:
        if not inits(cell, how):
            expected = f"one of {', '.join(INITS.get(cell, [OWN]))} for {cell}"
            raise BadInput(f"--init: expected {expected}, got {spec.init!r}")
    if spec.bias != OWN and not set(spec.cells) & set(BIASED):
        raise BadInput(f"--bias: expected a cell that has it, {' or '.join(BIASED)}, got {','.join(spec.cells)!r}")
    clips = real("--clip", spec.clip, 0)
    if isinstance(clips, tuple) and clips[0] == 0:
        raise BadInput(f"--clip: expected A:B with A above 0, or a list with 0 for none, got {spec.clip!r}")
    return {
        "inits": how,
        "biases": None if spec.bias == OWN else real("--bias", spec.bias, 0),
        "clips": clips,
        "optimizers": _words("--optimizer", spec.optimizer, list(OPTIMIZERS)),
        "residual": _switch("--residual", spec.residual),
        "bidirectional": _switch("--bidirectional", spec.bidirectional),
    }


def _ends_alone(task: Task) -> bool:
    """Whether the answer is asked for at the end alone, where a layer may read from both ends."""
    return not (task.per_step or task.stream)


def _words(flag: str, text: str, known: list[str]) -> list[str]:
    found = list(dict.fromkeys(text.split(",")))
    for word in found:
        if word not in known:
            raise BadInput(f"{flag}: expected some of {', '.join(known)}, got {word!r}")
    return found


def _switch(flag: str, text: str) -> list[int]:
    return [SWITCH[word] for word in _words(flag, text, list(SWITCH))]
