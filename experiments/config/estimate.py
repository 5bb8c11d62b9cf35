"""Estimates before the training: how many models a space has, and roughly how long a search takes."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from statistics import fmean, geometric_mean
from typing import Any

from experiments.config import recipes
from experiments.config.ranges import WIDTH_STEP, whole
from experiments.config.spec import FIRST, MEDIAN_STARTUP, RANDOM_TRIALS, REDUCTION, Spec
from experiments.system.resources import usable_cores
from experiments.tasks.base import Task
from search_spaces.architecture import EMBEDDING
from search_spaces.cells import facts
from search_spaces.dimensions import declare
from search_spaces.kernels import kernel, saved_seconds
from search_spaces.native.ready import missing
from search_spaces.size import Declared, size

# Fitted to 180 trainings on a server with TensorFlow 2.21: 11 to 100 time steps, batches of 64, two trainings at a time
# on two cores. These are the numbers of one alone, which is BUSY times as fast.
TRIAL_SECONDS = 1.0  # to build, trace and save a model, without its layers
LAYER_SECONDS = 0.8  # to build, trace, compile and save a layer
GATE_SECONDS = 1.3e-5  # of a time step of a layer for each gate, by the kernel `xla`, without matrix products
OPERATIONS_PER_SECOND = 6.5e10  # additions and multiplications in matrix products
STEP_SECONDS = 8e-4  # of a training step, for each layer, besides its time steps
START_SECONDS = 6.0  # to import TensorFlow and MLflow
BUSY = 1.3  # how much slower a training is when every core has one
ALIKE = 243  # from this trial on pruners let nearly the same share go on
FORWARD_AND_BACKWARD = 3  # both together cost three times as much as forward alone

Pick = Callable[[Iterable[float]], float]  # fmean, geometric_mean or max


def space_size(spec: Spec) -> int | None:
    """How many different models the space has. None if a range of real numbers makes it infinite."""
    declared = Declared()
    declare(declared, **recipes.dimensions(spec), recipe=recipes.recipe_of(spec))
    count = size(declared.space)
    return None if count == math.inf else int(count)


def planned_trials(spec: Spec, models: int | None) -> int:
    """`--trials`, or the number of models in the space, `space_size`, if that is smaller."""
    return spec.trials if models is None else min(spec.trials, models)


def search_seconds(
    spec: Spec, task: Task, steps: float, workers: int, trials: int, drawn: Sequence[dict[str, Any]] = ()
) -> float:
    """Seconds of a search, roughly.

    Args:
        steps: training steps of an epoch, as `buckets.paid_steps` counts them.
        workers: that run at the same time.
        trials: that are planned.
        drawn: the parameters of its first trials, as far as they are known before.
    """
    return START_SECONDS + trials_seconds(spec, task, steps, drawn)(trials) / parallel(workers)


def trials_seconds(
    spec: Spec, task: Task, steps: float, drawn: Sequence[dict[str, Any]] = ()
) -> Callable[[int], float]:
    """Returns a function. Its argument is a number n, its result the seconds that the first n trials take on one core.

    Trials that are drawn at random cost the mean. TPE stays near few models later, cheap ones or expensive ones. So the
    geometric mean stands for its trials. It lies between the cheap and the expensive ones. The arguments are those of
    `search_seconds`.
    """
    mean = epoch_seconds(spec, task, steps)
    later = epoch_seconds(spec, task, steps, geometric_mean) if spec.oracle == "tpe" else mean
    fixed, models = fixed_seconds(fmean(whole("--depth", spec.depth))), space_size(spec)
    known = [
        fixed_seconds(values["depth"])
        + candidate_seconds(spec, values, task, steps) * expected_epochs(spec.pruner, spec.epochs, place)
        for place, values in enumerate(drawn, start=1)
    ]

    def seconds(trials: int) -> float:
        if trials == models:  # all models of the space: their mean is exact
            return spec.executions * (fixed * trials + mean * all_epochs(spec.pruner, spec.epochs, trials))
        sure = min(trials, len(known))
        random = max(sure, min(trials, RANDOM_TRIALS))
        before, first, all_of_them = (all_epochs(spec.pruner, spec.epochs, count) for count in (sure, random, trials))
        others = fixed * (trials - sure) + mean * (first - before) + later * (all_of_them - first)
        return spec.executions * (sum(known[:sure]) + others)

    return seconds


def trials_within(
    spec: Spec, task: Task, steps: float, workers: int, seconds: float, most: int, drawn: Sequence[dict[str, Any]] = ()
) -> int:
    """How many trials are likely to end within some seconds: from 1 to `most`. The rest is as in `search_seconds`."""
    low, high, cost = 1, most, trials_seconds(spec, task, steps, drawn)
    while low < high:
        middle = (low + high + 1) // 2
        if START_SECONDS + cost(middle) / parallel(workers) <= seconds:
            low = middle
        else:
            high = middle - 1
    return low


def parallel(workers: int) -> float:
    """How many times as fast as one worker several workers are; 1 for a single one."""
    cores = usable_cores()
    return max(1.0, workers if workers < cores else cores / BUSY)


def fixed_seconds(depth: float) -> float:
    """Seconds of a training besides its epochs."""
    return TRIAL_SECONDS + LAYER_SECONDS * depth


def expected_epochs(pruner: str, epochs: int, place: int, done: int = 0) -> float:
    """The epochs that a trial is likely to get before it is pruned.

    Args:
        place: of the trial, from 1 on. Early trials are compared with few others, and more of them go on.
        done: epochs that it has finished.
    """
    if pruner == "none" or epochs <= max(FIRST, done):
        return epochs
    if pruner == "median":
        return epochs if place <= MEDIAN_STARTUP else (max(FIRST, done) + epochs) / 2
    if pruner == "halving":
        return _halving(FIRST, epochs, place, done)
    starts = [FIRST * REDUCTION**bracket for bracket in range(epochs) if FIRST * REDUCTION**bracket <= epochs]
    return fmean(_halving(start, epochs, place, done) for start in starts)


@functools.cache
def all_epochs(pruner: str, epochs: int, trials: int) -> float:
    """The epochs that the first `trials` trials are likely to get. All trials from ALIKE on get the same number."""
    first = sum(expected_epochs(pruner, epochs, place) for place in range(1, min(trials, ALIKE) + 1))
    return first + max(0, trials - ALIKE) * expected_epochs(pruner, epochs, ALIKE)


def _halving(rung: int, epochs: int, place: int, done: int) -> float:
    """The expected epochs with successive halving: at each rung one in REDUCTION trials goes on."""
    expected, share, reached, arrived = 0.0, 1.0, 0, float(place)
    while rung < done:  # it has passed this rung
        arrived, rung = max(1.0, arrived / REDUCTION), rung * REDUCTION
    if rung >= epochs:  # no further one
        return epochs
    while rung < epochs:
        expected += share * (rung - reached)
        onward = max(1.0, arrived / REDUCTION)
        share, arrived, reached, rung = share * onward / arrived, onward, rung, rung * REDUCTION
    return expected + share * (epochs - reached)


def epoch_seconds(spec: Spec, task: Task, steps: float, pick: Pick = fmean) -> float:
    """Seconds of an epoch, roughly: the mean of all candidates, or what `pick` makes of their seconds.

    All layers of a candidate are taken to be alike.
    """
    shapes = product(spec.cells, whole("--depth", spec.depth), whole("--width", spec.width, WIDTH_STEP))
    # A layer that reads from both ends is two layers.
    directions = pick([1 + both for both in recipes.recipe_of(spec).bidirectional])
    stacks = ([(cell, width)] * depth for cell, depth, width in shapes)
    return pick([_model_seconds(spec, task, steps, stack, directions) for stack in stacks])


def candidate_seconds(spec: Spec, values: dict[str, Any], task: Task, steps: float) -> float:
    """Seconds of an epoch of one candidate, roughly.

    Args:
        values: the parameters in a trial's journal.
    """
    depth = values["depth"]
    if "cell_1" in values:
        stacks = [[(values[f"cell_{layer}"], values[f"width_{layer}"]) for layer in range(1, depth + 1)]]
    else:  # a summary names all cells: the slowest one counts
        stacks = [[(cell, values["width"])] * depth for cell in values["cell"].split("+")]
    both = values.get("bidirectional")
    if both is None:
        # The search may open a bias or an initialisation that some cell does not have.
        plain = dataclasses.replace(spec, init="default", bias=recipes.OWN)
        both = max(recipes.recipe_of(plain).bidirectional)
    return max(_model_seconds(spec, task, steps, stack, 1 + both) for stack in stacks)


def _model_seconds(spec: Spec, task: Task, steps: float, stack: list[tuple[str, int]], directions: float) -> float:
    """Seconds of an epoch of a model of layers, each (cell, width)."""
    size = _first_inputs(task)
    used = [cell for cell, _ in stack]
    # Trying the kernel `native` would import Keras.
    name, _ = kernel(used, 0, int(spec.epochs * steps * task.steps), asked=spec.kernel, native=missing)
    weights, loops = 0, 0.0
    for cell, width in stack:
        known = facts(cell)
        weights += known.gates * width * (size + width)
        gates = known.gates * GATE_SECONDS + known.step_seconds
        loops += gates + known.xla_saved_seconds - saved_seconds(cell, name)
        size = width
    head = size * task.outputs if task.per_step else 0
    products = FORWARD_AND_BACKWARD * 2 * spec.batch * (directions * weights + head) / OPERATIONS_PER_SECOND
    return steps * ((products + directions * loops) * task.steps + directions * len(stack) * STEP_SECONDS)


def _first_inputs(task: Task) -> int:
    """The features that the first layer reads."""
    if task.tokens is None:
        return task.features or 0
    return task.tokens if task.one_hot else min(EMBEDDING, task.tokens)
