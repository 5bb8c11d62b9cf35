"""Which model `recurrent serve` serves: that of a search, of an export, or of MLflow's registry, as a local folder."""

import json
import shutil
from pathlib import Path
from typing import Any

from experiments.launcher.export import REGISTERED
from tracking.errors import BadInput


def model_folder(which: str, uri: str, to: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of MLflow's model, and its card.

    Args:
        which: the name of a search, the folder of an export, or models:/MODEL@alias.
        uri: of the store, for the first and the last.
        to: an empty folder for what is copied.

    Raises BadInput for a folder that holds no export, and as `handed_over` and `registered` do.
    """
    if which.startswith(REGISTERED):
        from tracking.registry import download_registered

        folder = download_registered(which, uri, to)
    elif Path(which).is_dir():
        folder = Path(which) / "mlflow"
        if not (folder / "MLmodel").is_file():
            expected = "serve: expected the name of a search, models:/MODEL@alias or the folder of an export"
            raise BadInput(f"{expected}, got the folder {which!r}, which has no mlflow/MLmodel")
    else:
        folder = _of_search(which, uri, to)
    return folder, json.loads((folder / "model.json").read_text("utf-8"))


def _of_search(name: str, uri: str, to: Path) -> Path:
    """What an export of the search would take."""
    from mlflow.models import Model

    from tracking.choosing import BEST
    from tracking.export import handed_over
    from tracking.model_folder import write_model
    from tracking.models import download
    from tracking.searches import existing_search
    from tracking.store import working

    client, search = existing_search(name, uri)
    with working(uri):
        model, _ = handed_over(client, search, BEST, lambda text: None)
        (to / "logged").mkdir()
        file, card = download(client, uri, model, to / "logged")
    folder = to / "model"
    folder.mkdir()
    # The logged one may be of an earlier version, which reads tensors alone.
    write_model(folder, Model(model_id=model.model_id), file, card)
    shutil.rmtree(to / "logged")
    return folder
