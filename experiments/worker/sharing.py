"""Shares large data between the workers of a search: the launcher writes files, and each worker maps them."""

import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np

from experiments.config.folders import SearchFolder
from experiments.tasks.base import Arrays, Task
from experiments.tasks.loading.digest import digest_of
from tracking.errors import DataError
from tracking.journal import naming

LARGE = 2**26  # bytes; for larger data a file costs less than a copy in every worker
SHARED_SPLITS = ("train", "val")
PARTS = ("x", "y")


def share(folder: SearchFolder, session: str, splits: list[Arrays]) -> None:
    """Writes train and validation arrays for the workers of the launcher `session`, if they are large.

    The launcher of the search calls it. Files of earlier launchers are removed. Raises OSError if the disk is full.
    """
    shutil.rmtree(folder.data, ignore_errors=True)
    if sum(part.nbytes for arrays in splits for part in arrays) < LARGE:
        return
    place = folder.data / session
    place.mkdir(parents=True)
    for split, arrays in zip(SHARED_SPLITS, splits, strict=True):
        for part, array in zip(PARTS, arrays, strict=True):
            _write(_file(place, split, part), np.ascontiguousarray(array))


def stop_sharing(folder: SearchFolder, session: str) -> None:
    """Removes the files that `share` has written for the launcher `session`."""
    shutil.rmtree(folder.data / session, ignore_errors=True)
    with suppress(OSError):  # the folder does not exist, or has another launcher's files
        folder.data.rmdir()


def load_splits(folder: SearchFolder, session: str, task: Task, seed: int, digest: str = "") -> tuple[Arrays, Arrays]:
    """Train and validation arrays: mapped if `share` has written them, else made by the task.

    Args:
        digest: of the data that the launcher has made; "" for a task that comes with the project. Raises DataError if
            the task makes others here. Trials of two workers could then not be compared.
    """
    place = folder.data / session
    if not place.exists():
        made = task.split("train", seed), task.split("val", seed)
        if digest and digest_of(made) != digest:
            raise DataError(
                "data: expected the same in every process, got others; does the task depend on something else than the"
                " generator `rng`, for example on another generator or on the order of a set?"
            )
        return made
    # TensorFlow refuses read-only memory. Memory of mode "c", copy on write, stays shared because no worker writes.
    (train_x, train_y), (val_x, val_y) = (
        [np.load(_file(place, split, part), mmap_mode="c") for part in PARTS] for split in SHARED_SPLITS
    )
    return (train_x, train_y), (val_x, val_y)


def _write(path: Path, array: np.ndarray) -> None:
    """Writes as `np.save` does. `np.save`'s own error for a full disk has no errno and no file name."""
    with naming(path), path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)


def _file(folder: Path, split: str, part: str) -> Path:
    return folder / f"{split}-{part}.npy"
