"""How large a space is, and roughly how long a search of it will take, before anything is trained."""

import dataclasses
from collections.abc import Callable, Iterable
from statistics import fmean
from typing import Any

from experiments.config.ranges import WIDTH_STEP, real, whole
from experiments.config.recipes import dimensions
from experiments.config.spec import Spec
from experiments.tasks.base import Task
from search_spaces.recipe import BIASED, inits

# Measured on one core of a server, TensorFlow 2.21: what building, tracing and saving a model takes, what one time step
# of one layer costs beside its multiplications, forward and back, and how many of those a core does in a second.
SECONDS_PER_TRIAL, SECONDS_PER_LAYER, SECONDS_PER_STEP, OPERATIONS_PER_SECOND = 1.5, 1.5, 2.5e-4, 2e10
SECONDS_TO_START = 8.0  # TensorFlow and MLflow are imported
GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}
BACKWARD = 3  # forward and back cost three times forward

Pick = Callable[[Iterable[float]], float]  # fmean or max


def space_size(spec: Spec) -> int | None:
    """How many different models the space holds; None where a range of real numbers makes it infinite."""
    depths, widths = whole("--depth", spec.depth), whole("--width", spec.width, WIDTH_STEP)
    rates, dropouts = real("--learning-rate", spec.learning_rate, 0), real("--dropout", spec.dropout, 0, 1)
    recipe, starts = dimensions(spec), [_starts(spec, cell) for cell in spec.cells]
    if isinstance(rates, tuple) or isinstance(recipe["clips"], tuple) or None in starts:
        return None
    if isinstance(dropouts, tuple) and max(depths) > 1:
        return None
    per_layer = sum(count or 0 for count in starts) * len(widths)
    stacks = {depth: per_layer**depth if spec.mixed else per_layer for depth in depths}
    deep = len(dropouts) * len(recipe["residual"])
    every = len(rates) * len(recipe["clips"]) * len(recipe["optimizers"]) * len(recipe["bidirectional"])
    return every * sum(count * (deep if depth > 1 else 1) for depth, count in stacks.items())


def _starts(spec: Spec, cell: str) -> int | None:
    """In how many ways a layer of the cell begins; None for a range of biases."""
    recipe = dimensions(spec)
    biases, known = recipe["biases"] if cell in BIASED else None, inits(cell, recipe["inits"])
    if biases is None:
        return len(known)
    without = len(known) - ("chrono" in known)  # which has biases of its own
    if isinstance(biases, tuple):
        return None if without else len(known)
    return without * len(biases) + ("chrono" in known)


def planned_trials(spec: Spec) -> int:
    """`--trials`, or fewer where the space has fewer points."""
    size = space_size(spec)
    return spec.trials if size is None else min(spec.trials, size)


def seconds(spec: Spec, task: Task, steps: int, workers: int) -> float:
    """Very roughly: for the mean candidate, on a core as fast as the one measured; the display soon knows better.

    Args:
        steps: training steps of an epoch.
    """
    depths = whole("--depth", spec.depth)
    trial = SECONDS_PER_TRIAL + SECONDS_PER_LAYER * fmean(depths) + epoch_seconds(spec, task, steps) * spec.epochs
    return SECONDS_TO_START + trial * spec.executions * planned_trials(spec) / workers


def epoch_seconds(spec: Spec, task: Task, steps: int, of: Pick = fmean) -> float:
    """Seconds that an epoch of the mean candidate takes, or with `max` one of the largest, just as roughly."""
    depth, widths = of(whole("--depth", spec.depth)), whole("--width", spec.width, WIDTH_STEP)
    ends = 1 + of(dimensions(spec)["bidirectional"])  # a layer that reads from both ends is two
    gates = of([GATES.get(cell, max(GATES.values())) for cell in spec.cells])
    layer = _products(spec, of([2 * gates * width**2 for width in widths]))
    head = _products(spec, of(widths) * task.outputs) if task.per_step else 0.0
    return (ends * depth * (SECONDS_PER_STEP + layer) + head) * steps * task.steps


def candidate_seconds(spec: Spec, values: dict[str, Any], task: Task, steps: int) -> float:
    """Seconds that an epoch of one candidate takes, as roughly.

    Args:
        values: as a trial's journal has its parameters; of cells and widths of several layers all are the largest.
    """
    shape = {"cells": values["cell"].split("+"), "depth": str(values["depth"]), "width": str(values["width"])}
    return epoch_seconds(dataclasses.replace(spec, **shape), task, steps, max)


def _products(spec: Spec, weights: float) -> float:
    """Seconds of a time step in products with so many weights, forward and back."""
    return BACKWARD * 2 * spec.batch * weights / OPERATIONS_PER_SECOND
