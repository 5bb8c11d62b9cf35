"""The files of a logged model: a folder of MLflow's `keras` flavour around a `.keras` file."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from mlflow import pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import Schema, TensorSpec

from tracking.as_json import as_json

CARD = "model.json"
KERAS_FILE = "data/model.keras"
FLAVOR = {"data": "data", "keras_backend": "tensorflow", "save_exported_model": False}
EXAMPLE, SERVING = "input_example.json", "serving_input_example.json"  # MLflow's names; a server takes the second one
EXAMPLE_STEPS = 20


def write_model(folder: Path, model: Model, keras_file: Path, card: dict[str, Any]) -> None:
    """An MLflow model folder around a `.keras` file, with its card, its signature and an input example."""
    (folder / KERAS_FILE).parent.mkdir()
    shutil.copyfile(keras_file, folder / KERAS_FILE)
    (folder / "data" / "keras_module.txt").write_text("keras")
    (folder / CARD).write_text(as_json(card) + "\n", "utf-8")
    requirements = [f"{name}=={card['versions'][name]}" for name in ("keras", "tensorflow", "numpy")]
    (folder / "requirements.txt").write_text("\n".join([f"mlflow=={card['versions']['mlflow']}", *requirements]) + "\n")
    model.signature = ModelSignature(_schema(card["shapes"]["input"]), _schema(card["shapes"]["output"]))
    _write_example(folder, model, card["shapes"]["input"])
    model.add_flavor("keras", keras_version=card["versions"]["keras"], **FLAVOR)
    pyfunc.add_to_model(model, loader_module="mlflow.keras")
    model.save(str(folder / "MLmodel"))


def _schema(shape: dict[str, Any]) -> Schema:
    """A schema with free batch and time. A schema inferred from data would refuse sequences of another length."""
    sizes = tuple(-1 if size is None else size for size in shape["shape"])
    return Schema([TensorSpec(np.dtype(shape["dtype"]), sizes)])


def _write_example(folder: Path, model: Model, shape: dict[str, Any]) -> None:
    """One sequence of ones. It shows the form of the input; a sample would carry the user's data into the store."""
    x = np.ones((1, EXAMPLE_STEPS, *shape["shape"][2:]), shape["dtype"])
    (folder / EXAMPLE).write_text(json.dumps(x.tolist()))
    (folder / SERVING).write_text(json.dumps({"inputs": x.tolist()}))
    model.saved_input_example_info = {"artifact_path": EXAMPLE, "type": "ndarray", "serving_input_path": SERVING}
