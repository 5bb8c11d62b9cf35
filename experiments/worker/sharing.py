"""The data of a search, made once and mapped into the memory of all its workers where they are large."""

import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np

from experiments.config.folders import SearchFolder
from experiments.tasks.base import Arrays, Task
from tracking.journal import naming

LARGE = 2**26  # bytes from which a copy in every worker costs more than a file
SPLITS = ("train", "val")
PARTS = ("x", "y")


def share(folder: SearchFolder, session: str, splits: list[Arrays]) -> None:
    """Writes train and validation arrays for the workers of a launcher, if they are large.

    To be called by a search's one launcher: what an earlier one left is removed. Raises OSError if the disk is full.
    """
    shutil.rmtree(folder.data, ignore_errors=True)
    if sum(part.nbytes for arrays in splits for part in arrays) < LARGE:
        return
    place = folder.data / session
    place.mkdir(parents=True)
    for split, arrays in zip(SPLITS, splits, strict=True):
        for part, array in zip(PARTS, arrays, strict=True):
            _write(_file(place, split, part), np.ascontiguousarray(array))


def stop_sharing(folder: SearchFolder, session: str) -> None:
    """Removes what `share` has written for that launcher."""
    shutil.rmtree(folder.data / session, ignore_errors=True)
    with suppress(OSError):  # it is not there, or another launcher's
        folder.data.rmdir()


def shared(folder: SearchFolder, session: str, task: Task, seed: int) -> tuple[Arrays, Arrays]:
    """Train and validation arrays: those that `share` has written, mapped, or made anew."""
    place = folder.data / session
    if not place.exists():
        return task.split("train", seed), task.split("val", seed)
    # Copy on write: nobody writes, and TensorFlow takes no memory that it may not write to.
    (train_x, train_y), (val_x, val_y) = (
        [np.load(_file(place, split, part), mmap_mode="c") for part in PARTS] for split in SPLITS
    )
    return (train_x, train_y), (val_x, val_y)


def _write(path: Path, array: np.ndarray) -> None:
    """As `np.save` does, whose error for a full disk has neither a number nor a name."""
    with naming(path), path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)


def _file(folder: Path, split: str, part: str) -> Path:
    return folder / f"{split}-{part}.npy"
