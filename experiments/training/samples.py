"""What a task measures of what a trained model writes: lines, or the targets of sources. It stands beside the score."""

import functools
import inspect
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.data import corpora
from experiments.tasks.base import Task
from experiments.training.sampling import StatefulReader, drawn

if TYPE_CHECKING:
    import keras


def sample_shares(task: Task, model: "keras.Model", seed: int) -> dict[str, float]:
    """What the task measures of what a trained model writes, by name; see `Task.samples`.

    A measure that is not finite is left out. For example, a text without a whole line has no share of lines.
    """
    asked = list(inspect.signature(task.samples).parameters)
    if asked == ["draw"]:
        found = task.samples(lambda count, longest: sample_lines(model, _vocabulary(task), count, longest, seed))
    elif asked == ["write", "seed"]:
        write: Any = functools.partial(targets, task, model)
        found = task.samples(write, seed)  # type: ignore[call-arg]
    else:
        found = task.samples(model, seed)  # type: ignore[call-arg]  # a user's task may take the model
    return {name: float(measure) for name, measure in found.items() if math.isfinite(measure)}


def _vocabulary(task: Task) -> str:
    return str(task.preprocessing()["vocabulary"])


def sample_lines(model: "keras.Model", vocabulary: str, count: int, longest: int, seed: int) -> list[str]:
    """Samples `count` lines in parallel. A line ends with its newline, or after `longest` characters without one."""
    rng, reader = np.random.default_rng(seed), StatefulReader(model, count)
    ids = np.full((count, 1), vocabulary.index("\n"), np.int32)
    written = np.zeros((count, longest), np.int32)
    for step in range(longest):
        logits = reader.batch_log_probabilities(ids)[:, -1]
        logits[:, 0] = -np.inf  # the unknown symbol
        written[:, step] = drawn(logits, rng)
        ids = written[:, step : step + 1]
    texts = (corpora.decode(row, vocabulary) for row in written)
    return [text[: text.find("\n") + 1] or text for text in texts]


def targets(task: Task, model: "keras.Model", x: np.ndarray, beam: int) -> list[list[list[int]]]:
    """The ids of the likeliest targets of sources `(count, source)`, at most `beam` of each, the best one first."""
    from experiments.training.translating import Translator
    from search_spaces.plain import plain

    found = Translator(plain(model), task.preprocessing()).write(x, beam)
    return [[ids for ids, _ in several] for several in found]
