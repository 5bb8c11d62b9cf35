"""Scores a saved model on the data of a search."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiments.tasks import base
from experiments.windows import scored_arrays


def scorer(spec: dict[str, Any]) -> Callable[[Path, str], float]:
    """A function from a `.keras` file and a split to the task's metric.

    Raises ValueError if the data are no longer those of the search.
    """
    task = base.make(spec["task"], spec["options"])
    found = base.digest([task.split(name, spec["seed"]) for name in ("train", "val")])
    if found != spec["digest"]:
        raise ValueError(
            f"data: expected those of the search, digest {spec['digest'][:12]}, got {found[:12]};"
            " another corpus, or another Python's language reference?"
        )

    def score(file: Path, split: str) -> float:
        import keras

        x, y = scored_arrays(task, task.split(split, spec["seed"]))
        return task.score(y, keras.models.load_model(file).predict(x, batch_size=256, verbose=0))

    return score
