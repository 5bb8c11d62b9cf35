"""Searches without a trial: only their folders are made, and `recurrent sync` sends them."""

from pathlib import Path
from typing import Any

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.tasks.loading.digest import digest_of
from experiments.tasks.loading.find import make
from support.searching import Recurrent

SMALL = {"length": "5", "train": "16", "val": "16", "test": "16"}  # options of adding


def write_folder(folder: Path, name: str, task: str = "adding", **values: Any) -> SearchFolder:
    """The folder of a search that has not begun a trial."""
    place = SearchFolder(folder / "searches" / name)
    place.path.mkdir(parents=True)
    options = SMALL if task == "adding" else {}
    made = make(task, options)
    digest = digest_of([made.split(split, 0) for split in ("train", "val")])
    Spec(name=name, task=task, options=options, cells=["gru"], digest=digest, id=name, **values).write(place)
    return place


def sync(recurrent: Recurrent, folder: Path, name: str, *words: str) -> None:
    done = recurrent("sync", name, *words, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
