"""What is told of a candidate beside its score: what it costs, and how far back it sees."""

import math
import statistics
from typing import Any

import keras
import numpy as np

from experiments.tasks.base import Task
from search_spaces import horizon
from search_spaces.cost import flops, training_flops
from tracking.journal import Event


def cost(model: keras.Model, task: Task, batch: int) -> dict[str, float]:
    """Parameters, and operations of a time step (forward) and of a training step."""
    return {
        "parameters": sum(math.prod(variable.shape) for variable in model.trainable_variables),
        "flops_per_token": flops(model, task.steps, task.per_step),
        "flops_per_step": training_flops(model, task.steps, task.per_step, batch),
    }


def pace(epochs: list[Event], steps: int) -> dict[str, float]:
    """Milliseconds of one of an epoch's `steps` training steps: the median of all epochs but the first of a process.

    {} where there is no other epoch: in the first one TensorFlow traces and compiles.

    Args:
        epochs: the "epoch" events of an execution.
    """
    seconds = [event["training"] for event in epochs if not event.get("traced", not event["epoch"])]
    return {"ms_per_step": 1000 * statistics.median(seconds) / steps} if seconds else {}


def weights(model: keras.Model) -> list[np.ndarray]:
    """Copies, which training does not change."""
    return [np.array(array) for array in model.get_weights()]


def horizons(model: keras.Model, initial: list[np.ndarray], task: Task, compiled: int) -> dict[str, Any]:
    """The horizon at the beginning and trained, with the lag of the task's first step.

    Args:
        compiled: samples of the task's length that the model's kernel has been compiled for, or 0.
    """
    return {"horizon": {"lag": task.steps - 1, **horizon.measure(model, initial, task.steps, compiled=compiled)}}
