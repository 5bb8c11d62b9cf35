"""Estimates before the training: how many models a space has, and roughly how long a search takes."""

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
TRIAL_SECONDS = 1.5  # to build, trace and save a model, without its layers
LAYER_SECONDS = 1.5  # to build, trace and save a layer
STEP_SECONDS = 2.5e-4  # of one time step of a layer, forward and backward, without its matrix products
OPERATIONS_PER_SECOND = 2e10  # additions and multiplications in matrix products
START_SECONDS = 8.0  # to import TensorFlow and MLflow
FORWARD_AND_BACKWARD = 3  # both together cost three times as much as forward alone

Pick = Callable[[Iterable[float]], float]  # fmean or max


def space_size(spec: Spec) -> int | None:
    """How many different models the space has. None if a range of real numbers makes it infinite."""
    declared = Declared()
    declare(declared, **recipes.dimensions(spec), recipe=recipes.recipe_of(spec))
    count = size(declared.parameters)
    return None if count == math.inf else int(count)


def planned_trials(spec: Spec) -> int:
    """`--trials`, or the number of models in the space if that is smaller."""
    models = space_size(spec)
    return spec.trials if models is None else min(spec.trials, models)


def seconds(spec: Spec, task: Task, steps: int, workers: int) -> float:
    """Seconds of a search of mean candidates, very roughly. Every worker has a core as fast as the measured one.

    Args:
        steps: training steps of an epoch.
    """
    depths = whole("--depth", spec.depth)
    trial = TRIAL_SECONDS + LAYER_SECONDS * fmean(depths) + epoch_seconds(spec, task, steps) * spec.epochs
    return START_SECONDS + trial * spec.executions * planned_trials(spec) / workers


def epoch_seconds(spec: Spec, task: Task, steps: int, pick: Pick = fmean) -> float:
    """Seconds of an epoch of the mean candidate, very roughly. With `max` as `pick` those of the largest one."""
    depth, widths = pick(whole("--depth", spec.depth)), whole("--width", spec.width, WIDTH_STEP)
    directions = 1 + pick(recipes.recipe_of(spec).bidirectional)  # a layer that reads from both ends is two layers
    gates = pick([facts(cell).gates for cell in spec.cells])
    layer = _product_seconds(spec, pick([2 * gates * width**2 for width in widths]))
    head = _product_seconds(spec, pick(widths) * task.outputs) if task.per_step else 0.0
    return (directions * depth * (STEP_SECONDS + layer) + head) * steps * task.steps


def candidate_seconds(spec: Spec, values: dict[str, Any], task: Task, steps: int) -> float:
    """Seconds of an epoch of one candidate, very roughly.

    Args:
        values: the parameters in a trial's journal. If the layers differ, all count as the largest one.
    """
    shape = {"cells": values["cell"].split("+"), "depth": str(values["depth"]), "width": str(values["width"])}
    return epoch_seconds(dataclasses.replace(spec, **shape), task, steps, max)


def _product_seconds(spec: Spec, weights: float) -> float:
    """Seconds of the matrix products of one time step with `weights` weights, forward and backward."""
    return FORWARD_AND_BACKWARD * 2 * spec.batch * weights / OPERATIONS_PER_SECOND
