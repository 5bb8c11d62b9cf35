"""How large a space is, and roughly how long a search of it will take, before anything is trained."""

import dataclasses
import math
from collections.abc import Callable, Iterable
from statistics import fmean
from typing import Any

from experiments.config import recipes
from experiments.config.ranges import WIDTH_STEP, whole
from experiments.config.spec import Spec
from experiments.tasks.base import Task
from search_spaces.cells import facts
from search_spaces.dimensions import declare
from search_spaces.size import Declared, size

# Measured on one core of a server with TensorFlow 2.21.
TRIAL_SECONDS = 1.5  # to build, trace and save a model
LAYER_SECONDS = 1.5  # to build, trace and save a layer
STEP_SECONDS = 2.5e-4  # one time step of a layer, forward and backward, without its products
OPERATIONS_PER_SECOND = 2e10  # additions and multiplications in products
START_SECONDS = 8.0  # TensorFlow and MLflow are imported
FORWARD_AND_BACKWARD = 3  # cost three times as much as forward alone

Pick = Callable[[Iterable[float]], float]  # fmean or max


def space_size(spec: Spec) -> int | None:
    """How many different models the space holds; None where a range of real numbers makes it infinite."""
    declared = Declared()
    declare(declared, **recipes.dimensions(spec), recipe=recipes.recipe_of(spec))
    count = size(declared.parameters)
    return None if count == math.inf else int(count)


def planned_trials(spec: Spec) -> int:
    """`--trials`, or fewer where the space has fewer points."""
    size = space_size(spec)
    return spec.trials if size is None else min(spec.trials, size)


def seconds(spec: Spec, task: Task, steps: int, workers: int) -> float:
    """A very rough estimate for the mean candidate, on a core as fast as the one measured.

    Args:
        steps: training steps of an epoch.
    """
    depths = whole("--depth", spec.depth)
    trial = TRIAL_SECONDS + LAYER_SECONDS * fmean(depths) + epoch_seconds(spec, task, steps) * spec.epochs
    return START_SECONDS + trial * spec.executions * planned_trials(spec) / workers


def epoch_seconds(spec: Spec, task: Task, steps: int, pick: Pick = fmean) -> float:
    """Seconds that an epoch of the mean candidate takes, or with `max` an epoch of the largest one; very rough."""
    depth, widths = pick(whole("--depth", spec.depth)), whole("--width", spec.width, WIDTH_STEP)
    directions = 1 + pick(recipes.recipe_of(spec).bidirectional)  # a layer that reads from both ends is two layers
    gates = pick([facts(cell).gates for cell in spec.cells])
    layer = _product_seconds(spec, pick([2 * gates * width**2 for width in widths]))
    head = _product_seconds(spec, pick(widths) * task.outputs) if task.per_step else 0.0
    return (directions * depth * (STEP_SECONDS + layer) + head) * steps * task.steps


def candidate_seconds(spec: Spec, values: dict[str, Any], task: Task, steps: int) -> float:
    """Seconds that an epoch of one candidate takes; very rough.

    Args:
        values: the parameters in a trial's journal. Where layers differ, all count as the largest.
    """
    shape = {"cells": values["cell"].split("+"), "depth": str(values["depth"]), "width": str(values["width"])}
    return epoch_seconds(dataclasses.replace(spec, **shape), task, steps, max)


def _product_seconds(spec: Spec, weights: float) -> float:
    """Seconds of one time step in products with this number of weights, forward and backward."""
    return FORWARD_AND_BACKWARD * 2 * spec.batch * weights / OPERATIONS_PER_SECOND
