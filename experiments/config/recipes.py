"""Reads spaces and recipes as typed on the command line. Says which dimensions `--recipe` opens."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from experiments.config.ranges import WIDTH_STEP, real, whole
from experiments.config.spec import BUCKETS, EMBEDDING_SPREAD, Spec
from experiments.tasks.base import Task
from search_spaces import cells as known_cells
from search_spaces.errors import SpaceError, UnknownName
from search_spaces.halves import ATTENTIONS
from search_spaces.recipe import OPTIMIZERS, Recipe, check_inits, check_words
from tracking.errors import BadInput
from tracking.text import did_you_mean

OWN = "default"  # the word of --bias for the bias that each cell has by itself, and of --embedding-spread
SWITCH = {"no": 0, "yes": 1}
FLAGS = {  # the flags of the arguments of a space and of a recipe
    "cells": "--cells",
    "inits": "--init",
    "biases": "--bias",
    "clips": "--clip",
    "optimizers": "--optimizer",
    "momenta": "--momentum",
    "memories": "--memory",
    "controllers": "--controller",
    "residual": "--residual",
    "bidirectional": "--bidirectional",
    "attention": "--attention",
}
NO_ATTENTION = ATTENTIONS[0]
SHORTEST_REACH = 2  # the fewest time steps that chrono takes


def opened(task: Task, cells: Sequence[str]) -> dict[str, str]:
    """The spec's values with `--recipe`: every dimension that the task allows and that one of the cells has."""
    both = ",".join(SWITCH)
    inits, optimizers = ",".join(known_cells.all_inits()), ",".join(OPTIMIZERS)
    found = {"init": inits, "clip": "0.25,1,5", "optimizer": optimizers}
    machines = _machines(cells)
    found |= {} if task.source_steps or machines else {"residual": both}
    found |= {"bias": "0,1,2,5,10"} if set(cells) & set(known_cells.with_keep_gate()) else {}
    return found | ({"bidirectional": both} if _answers_at_the_end(task) and not machines else {})


def own_defaults(cells: Sequence[str]) -> dict[str, Any]:
    """The defaults of a new search of cells that have a memory. Beside other cells only the depth is theirs."""
    machines = _machines(cells)
    if not machines:
        return {}
    defaults = known_cells.facts(machines[0]).defaults
    return dict(defaults) if list(cells) == machines else {"depth": defaults["depth"]}


def _machines(cells: Sequence[str]) -> list[str]:
    """The cells that have a memory. A cell that is not known is none of them; `check_cells` refuses it."""
    return known_cells.with_memory([cell for cell in cells if cell in known_cells.names()])


def check_cells(cells: Sequence[str]) -> None:
    """Raises BadInput for an unknown cell."""
    with _named_by_flags():
        for cell in cells:
            known_cells.facts(cell)


def dimensions(spec: Spec) -> dict[str, Any]:
    """The arguments of `RecurrentSpace` that say what is searched, without the recipe. Raises BadInput."""
    return {
        "cells": spec.cells,
        "depths": whole("--depth", spec.depth),
        "widths": whole("--width", spec.width, WIDTH_STEP),
        "mixed": spec.mixed,
        "learning_rate": real("--learning-rate", spec.learning_rate, 0, above=True),
        "dropout": real("--dropout", spec.dropout, 0, 1),
        "attention": _attention(spec.attention),
    }


def defaults_of(task: Task) -> dict[str, Any]:
    """The defaults of a new search that follow from what its task reads."""
    if task.source_steps:
        return {"attention": ",".join(ATTENTIONS), "buckets": BUCKETS}
    return {"embedding_spread": EMBEDDING_SPREAD} if _embeds(task) else {}


def _embeds(task: Task) -> bool:
    return task.tokens is not None and not task.one_hot


def embedding_spread(spec: Spec, task: Task) -> float | None:
    """The argument of `RecurrentSpace`. Raises BadInput."""
    if spec.embedding_spread == OWN:
        return None
    expected, found = f"{OWN} for a task without embeddings", None
    if _embeds(task):
        expected = f"a number above 0, or {OWN}"
        with suppress(ValueError):
            found = float(spec.embedding_spread)
    if found is None or not 0 < found < math.inf:
        raise BadInput(f"--embedding-spread: expected {expected}, got {spec.embedding_spread!r}")
    return found


def check_buckets(spec: Spec, task: Task) -> None:
    """Raises BadInput for buckets where no batch can be cut."""
    if spec.buckets == 1:
        return
    machines = known_cells.with_memory(spec.cells)
    reason = f"the cell {machines[0]} is compiled as a whole" if machines else ""
    if task.stream or (task.padding is None and not task.per_step):
        reason = "no sample of the task is shorter than the others"
    if reason:
        raise BadInput(f"--buckets: expected 1, since {reason}, got {spec.buckets}")


def _attention(text: str) -> list[str]:
    with _named_by_flags():
        check_words("attention", _names(text), ATTENTIONS)
    return _names(text)


def recipe(spec: Spec, task: Task) -> Recipe:
    """The recipe dimensions of a search. Raises BadInput."""
    found = recipe_of(spec, max(SHORTEST_REACH, task.reach))
    if spec.attention != NO_ATTENTION and not task.source_steps:
        expected = f"{NO_ATTENTION} for a task without a source from which a target is written"
        raise BadInput(f"--attention: expected {expected}, got {spec.attention!r}")
    if (task.source_steps or task.stream) and (memory := known_cells.with_memory(spec.cells)):
        kind = "an encoder and a decoder" if task.source_steps else "a text that is read as a stream"
        raise BadInput(f"--cells: expected none with a memory for {kind}, got {memory[0]!r}")
    if any(found.residual) and task.source_steps:
        raise BadInput(f"--residual: expected no for an encoder and a decoder, got {spec.residual!r}")
    if any(found.bidirectional) and not _answers_at_the_end(task):
        expected = "no for a task that is answered at every step: it would see what follows"
        raise BadInput(f"--bidirectional: expected {expected}, got {spec.bidirectional!r}")
    return found


def recipe_of(spec: Spec, longest: int = SHORTEST_REACH) -> Recipe:
    """The recipe dimensions for a task whose longest dependency spans `longest` steps. Raises BadInput."""
    inits = _names(spec.init)
    with _named_by_flags():
        found = Recipe(
            inits=inits,
            biases=None if spec.bias == OWN else real("--bias", spec.bias, 0),
            clips=_clips(spec.clip),
            optimizers=_names(spec.optimizer),
            momenta=real("--momentum", spec.momentum, 0, 1),
            memories=_names(spec.memory),
            controllers=_names(spec.controller),
            residual=_switch("--residual", spec.residual),
            bidirectional=_switch("--bidirectional", spec.bidirectional),
            longest=longest if "chrono" in inits else None,
        )
        check_inits(spec.cells, inits)
    for cell in known_cells.with_memory(spec.cells):
        alone = {"--depth": spec.depth, "--residual": spec.residual, "--bidirectional": spec.bidirectional}
        for flag, got in alone.items():
            if got not in ("1", "no"):
                raise BadInput(f"{flag}: expected {'1' if flag == '--depth' else 'no'} with {cell}, got {got!r}")
        if spec.mixed:
            raise BadInput(f"--mixed: expected none with {cell}, which is one layer")
    for flag, got, own in (("--memory", spec.memory, Spec.memory), ("--controller", spec.controller, Spec.controller)):
        if got != own and not known_cells.with_memory(spec.cells):
            known = " or ".join(known_cells.with_memory(known_cells.names()))
            raise BadInput(f"{flag}: expected it with a cell that has a memory, {known}, got {','.join(spec.cells)!r}")
    gated = known_cells.with_keep_gate()
    if spec.bias != OWN and not set(spec.cells) & set(gated):
        raise BadInput(f"--bias: expected a cell that has it, {' or '.join(gated)}, got {','.join(spec.cells)!r}")
    return found


@contextmanager
def _named_by_flags() -> Iterator[None]:
    """Turns a SpaceError, whose message begins with an argument, into BadInput with the name of the flag."""
    try:
        yield
    except SpaceError as error:
        argument, _, message = str(error).partition(":")
        hint = did_you_mean(error.got, error.known) if isinstance(error, UnknownName) else ""
        raise BadInput(f"{FLAGS[argument]}:{message}{hint}") from None


def _answers_at_the_end(task: Task) -> bool:
    """True if the task is answered only at the end. Only then a layer may read from both ends."""
    return not (task.per_step or task.stream)


def _clips(text: str) -> tuple[float, float] | list[float]:
    clips = real("--clip", text, 0)
    if isinstance(clips, tuple) and clips[0] == 0:
        raise BadInput(f"--clip: expected A:B with A above 0, or a list with 0 for none, got {text!r}")
    return clips


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(text.split(",")))


def _switch(flag: str, text: str) -> list[int]:
    for word in _names(text):
        if word not in SWITCH:
            hint = did_you_mean(word, SWITCH)
            raise BadInput(f"{flag}: expected some of {', '.join(SWITCH)}, got {word!r}{hint}")
    return [SWITCH[word] for word in _names(text)]
