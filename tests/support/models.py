"""The models that a search keeps, found without the project's help."""

from pathlib import Path
from typing import TYPE_CHECKING

from support.searching import Searched

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run

EXPORTED = {"model.keras", "model.json", "README.md", "predict.py", "requirements-keras.txt", "mlflow"}


def logged(search: Searched) -> "dict[str, LoggedModel]":
    """The models in MLflow, by the numbers of their trials."""
    client = search.client
    found = client.search_logged_models([search.parent.info.experiment_id])
    own = [model for model in found if model.tags.get("recurrent.search_id") == search.name]
    return {client.get_run(model.source_run_id).data.tags["recurrent.trial"]: model for model in own}


def best_model(search: Searched) -> "LoggedModel":
    """The model that is tagged as the best one."""
    (model,) = [model for model in logged(search).values() if model.tags["recurrent.best"] == "yes"]
    return model


def files(folder: Path) -> dict[str, Path]:
    """The `.keras` files in the store of a folder, by the ids of their models."""
    return {path.parents[2].name: path for path in folder.glob("mlartifacts/*/models/*/artifacts/data/model.keras")}


def best_file(search: Searched) -> Path:
    return files(search.folder)[best_model(search).model_id]


def on_disk(search: Searched) -> set[str]:
    """The trials whose models lie in the folder of the search."""
    return {path.parent.name for path in (search.folder / "searches" / search.name).glob("trials/*/model.keras")}


def wanted(search: Searched) -> set[str]:
    """The trials that no other one beats in score and size, and the best one of each cell."""
    runs = [run for run in search.trials() if _score(run) is not None]
    front = {_name(run) for run in runs if not any(_beats(other, run) for other in runs)}
    cells = {run.data.params["cell"] for run in runs}
    groups = [[run for run in runs if run.data.params["cell"] == cell] for cell in cells]
    return front | {_name(min(group, key=lambda run: (*_point(run), _name(run)))) for group in groups}


def _beats(other: "Run", run: "Run") -> bool:
    (score, size), (its, smaller) = _point(run), _point(other)
    equal = (its, smaller) == (score, size)
    return its <= score and smaller <= size and (not equal or _name(other) < _name(run))


SIGNS = {"mse": 1, "accuracy": -1, "exact": -1}  # -1 where large scores are better


def _score(run: "Run") -> float | None:
    """The score, or its negative, so that small ones are better."""
    metric = next((name for name in SIGNS if f"best/{name}" in run.data.metrics), None)
    return None if metric is None else SIGNS[metric] * float(run.data.metrics[f"best/{metric}"])


def _point(run: "Run") -> tuple[float, float]:
    return _score(run) or 0.0, run.data.metrics["cost/parameters"]


def _name(run: "Run") -> str:
    return str(run.data.tags["recurrent.trial"])
