"""The code of a user's task: its file and the neighbours that it imports.

A search keeps a copy in its folder, and MLflow gets the same files. What runs later is this copy, so that a change of
the user's file changes no search. Each file is known by its sha256. Another file under the same name is refused.
"""

import hashlib
from pathlib import Path, PurePosixPath

from experiments.system.files import write_bytes
from experiments.tasks.loading import modules
from experiments.tasks.loading.copied import Copy
from tracking.errors import BadInput, DataError

Code = dict[str, str]  # the sha256 of each file, by its place beside the task's file; the task's file is the first one


def code_of(task: str) -> Code:
    """The code of a task's file and of the neighbours that it has imported until now; {} for another task.

    Neighbours that it imports when it makes its data are known after that.
    """
    if not task.endswith(".py"):
        return {}
    path = Path(task).absolute()
    modules.run(path)
    return {name: _sha256(path.parent / name) for name in (path.name, *sorted(modules.files(path.parent)))}


def keep(code: Code, source: Path, folder: Path) -> None:
    """Copies the files from the folder `source` into a search's folder, unless they are there or have changed."""
    for name in set(code) - set(changed(code, source)):
        if not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_bytes(folder / name, (source / name).read_bytes())


def changed(code: Code, folder: Path) -> list[str]:
    """The files that are not in a folder as the code has them."""
    files = {name: folder / name for name in code}
    return [name for name, file in files.items() if not file.is_file() or _sha256(file) != code[name]]


def note(code: Code, task: Path, folder: Path) -> str:
    """A line that says that the user's code has changed and that the copy is run; "" otherwise."""
    if not task.is_file() or not (names := changed(code, task.parent)):
        return ""
    return f"{', '.join(names)}: changed since the search began, which goes on with its copy in {folder}"


def checked(code: Code, folder: Path) -> Copy | None:
    """The copy in a folder; None for a task without code.

    Raises DataError unless every file is there and has its sha256.
    """
    for name in changed(code, folder):
        file = folder / name
        got = f"sha256 {_sha256(file)[:12]}" if file.is_file() else "none"
        raise DataError(f"task: expected {file} as the search has run it, sha256 {code[name][:12]}, got {got}")
    return Copy(folder, tuple(code)) if code else None


def check_name(name: str) -> None:
    """Raises BadInput for a place that is not beside the task's file. A shared record could hold one."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.name:
        raise BadInput(f"task: expected a file beside TASK in the record, got {name!r}")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
