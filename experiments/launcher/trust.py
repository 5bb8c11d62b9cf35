"""Which code of a user's task an export runs. A record may come from somebody else, and its code may do anything."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.config.folders import SEARCHES, SearchFolder
from experiments.config.spec import Spec
from experiments.config.units import parse_name
from experiments.tasks.loading.code import check_name, checked
from experiments.tasks.loading.copied import Copy
from tracking.errors import BadInput

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def code_to_run(client: "MlflowClient", parent: "Run", spec: dict[str, Any], trusted: bool, to: Path) -> Copy | None:
    """The code of a user's task as the search has run it; None for another task, and for a search of an early version.

    It is the copy in the folder of this search, else the one in the record. Another search may have the same name here.

    Args:
        trusted: the user trusts the code of a server.
        to: a folder for the files of the record.

    Raises BadInput for code of a server that is not trusted, and DataError for other files than those of the search.
    """
    from tracking.code import download_code

    code: dict[str, str] = spec.get("code", {})
    for name in code:
        check_name(name)
    folder = SearchFolder(SEARCHES / parse_name(spec["name"]))
    if code and folder.code.is_dir() and _holds(folder, spec):
        return checked(code, folder.code)
    if spec["task"].endswith(".py") and is_server(client) and not trusted:
        expected = "--trust-task: expected with a task whose code comes from a server, got none"
        raise BadInput(f"{expected}; it would run {Path(spec['task']).name} with your rights")
    return checked(code, download_code(client, parent, code, to))


def _holds(folder: SearchFolder, spec: dict[str, Any]) -> bool:
    """True if a folder holds the search of a record."""
    try:
        return Spec.read(folder).id == spec.get("id", "")
    except (OSError, BadInput):  # it has no spec
        return False


def is_server(client: "MlflowClient") -> bool:
    """True if the record lies on a server, and not in a file."""
    from tracking.store import database

    return database(client.tracking_uri) is None
