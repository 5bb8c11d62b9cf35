"""Measures of a candidate beside its score: its cost, its time per training step and its horizon."""

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
    """The parameters, the floating point operations of one time step forward, and those of a training step.

    Args:
        batch: samples of a training step.
    """
    sizes = task.steps, task.per_step
    return {
        "parameters": sum(math.prod(variable.shape) for variable in model.trainable_variables),
        "flops_per_token": flops(model, *sizes, task.source_steps or 0),
        "flops_per_step": training_flops(model, *sizes, batch, task.source_steps or 0),
    }


def step_time(epochs: list[Event], steps_per_epoch: int) -> dict[str, float]:
    """Milliseconds of a training step: the median of the epochs in which TensorFlow traced nothing.

    TensorFlow traces and compiles in the first epoch of a process. The result is {} if there is no other epoch.

    Args:
        epochs: the "epoch" events of an execution.
        steps_per_epoch: training steps of an epoch.
    """
    seconds = [event["training"] for event in epochs if not event.get("traced", not event["epoch"])]
    return {"ms_per_step": 1000 * statistics.median(seconds) / steps_per_epoch} if seconds else {}


def weight_copies(model: keras.Model) -> list[np.ndarray]:
    """Copies of the model's weights. Training does not change them."""
    return [np.array(array) for array in model.get_weights()]


def measure_horizons(model: keras.Model, initial: list[np.ndarray], task: Task, compiled: int) -> dict[str, Any]:
    """The horizon before and after training (see search_spaces/horizon.py), and the lag of the task's first step.

    Of an encoder and a decoder it is that of the encoder.

    Args:
        model: after training.
        initial: the weights before training.
        compiled: for how many samples of the task's length the model's kernel has been compiled, or 0.
    """
    steps = task.source_steps or task.steps
    if task.source_steps:
        (model, initial), compiled = horizon.of_encoder(model, initial), 0
    return {"horizon": {"lag": steps - 1, **horizon.measure(model, initial, steps, compiled=compiled)}}
