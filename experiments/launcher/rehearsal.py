"""Makes sure that a search's copy of a user's code can run, before anything begins."""

import dataclasses
from pathlib import Path

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.tasks.base import Task
from experiments.tasks.loading import find
from experiments.tasks.loading.checks import fault
from experiments.tasks.loading.code import checked, code_of, keep
from experiments.tasks.loading.digest import digest_of
from tracking.errors import DataError, RecurrentError
from tracking.tags import check_spec


def with_code(spec: Spec, folder: SearchFolder, resume: bool) -> Spec:
    """The spec with the code of its task, which has made its data and so has imported its neighbours.

    A search that is resumed keeps the code that it has.
    """
    if resume and folder.spec.exists():
        return spec
    spec = dataclasses.replace(spec, code=code_of(spec.task))
    check_spec(spec.to_json(), {"TASK": spec.code})
    return spec


def rehearse(spec: Spec, folder: SearchFolder, task: Task) -> Task:
    """Copies the code of a new search, and returns the task as the copy makes it.

    A file without neighbours is the same as a copy. With neighbours the copy must make the data of `task`, too. Raises
    DataError if it does not.
    """
    keep(spec.code, Path(spec.task).parent, folder.code)
    copy = checked(spec.code, folder.code)
    if len(spec.code) < 2:
        return task
    expected = f"{spec.task}: expected the same data from the search's copy of it"
    try:
        copied = find.make(spec.task, spec.options, spec.reading, copy)
        digest = digest_of(copied.split(name, spec.seed) for name in ("train", "val"))
    except RecurrentError as error:
        raise DataError(f"{expected}, got {error}") from None
    except Exception as error:
        if line := fault(error):
            raise DataError(f"{expected}, got {line}") from None
        raise
    if digest != spec.digest:
        raise DataError(f"{expected}, got others; do they depend on something else than the generator `rng`?")
    return copied
