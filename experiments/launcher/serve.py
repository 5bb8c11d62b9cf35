"""Which model `recurrent serve` serves: that of a search, of an export, or of MLflow's registry, as a local folder."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracking.errors import BadInput

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel


def model_folder(which: str, uri: str, to: Path, warn: Callable[[str], None]) -> tuple[Path, dict[str, Any]]:
    """The folder of MLflow's model, and its card.

    Args:
        which: the name of a search, the folder of an export, or models:/MODEL@alias.
        uri: of the store, for the first and the last.
        to: an empty folder for what is made.
        warn: is told if a better model is not kept.

    Raises BadInput for a folder that holds no export, and as `handed_over` and `registry.logged_model` do.
    """
    from tracking.registry import PREFIX
    from tracking.searches import existing_search
    from tracking.store import connect, working

    exported = Path(which) / "mlflow"
    if (exported / "MLmodel").is_file():
        # MLflow reads a % in a path as the beginning of a code, and follows no link.
        shutil.copytree(exported, to / "model")
        return to / "model", json.loads((exported / "model.json").read_text("utf-8"))
    if "/" in which and not which.startswith(PREFIX):
        expected = "MODEL: expected a search, models:/MODEL@alias or the folder of an export"
        raise BadInput(f"{expected}, got {which!r}, which has no mlflow/MLmodel")
    if which.startswith(PREFIX):
        from tracking.registry import logged_model

        client = connect(uri)
        with working(uri):
            return _written(client, uri, logged_model(client, which), to)
    from tracking.choosing import BEST
    from tracking.export import handed_over

    client, search = existing_search(which, uri)
    with working(uri):
        model, _ = handed_over(client, search, BEST, warn)
        return _written(client, uri, model, to)


def _written(client: "MlflowClient", uri: str, model: "LoggedModel", to: Path) -> tuple[Path, dict[str, Any]]:
    """Makes the folder anew. The logged one may be of an earlier version, and that one reads only tensors."""
    from mlflow.models import Model

    from tracking.model_files import download
    from tracking.model_folder import completed, write_model

    file, card = download(client, uri, model, to)
    folder = to / "model"
    folder.mkdir()
    write_model(folder, Model(model_id=model.model_id), file, card)
    return folder, completed(card)
