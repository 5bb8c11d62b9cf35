"""The files of a logged model: a folder of MLflow around a `.keras` file, with two flavours.

`mlflow.keras.load_model` returns the Keras model. `mlflow.pyfunc.load_model`, and every server of MLflow, reads columns
and answers in words: `model.py` is the code, a copy of deploy/served.py, and `predict.py` helps it.
"""

import json
import platform
import shutil
from pathlib import Path
from typing import Any

from mlflow import pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import AnyType, ColSpec, ParamSchema, ParamSpec, Schema

from tracking.as_json import as_json
from tracking.deploy import classes
from tracking.deploy.page import example_source

CARD = "model.json"
KERAS_FILE = "data/model.keras"
CODE, PREDICT = "model.py", "predict.py"
FLAVOR = {"data": "data", "keras_backend": "tensorflow", "save_exported_model": False}
LOADER = "mlflow.pyfunc.loaders.code_model"  # of models from code
EXAMPLE, SERVING = "input_example.json", "serving_input_example.json"  # MLflow's names; a server takes the second one
EXAMPLE_STEPS = 20
DEPLOY = Path(__file__).with_name("deploy")
# How a text is continued. 0 and 1.0 switch top_k and top_p off, since MLflow takes no None.
PARAMS = {
    "length": ("long", 200),
    "temperature": ("double", 1.0),
    "top_k": ("long", 0),
    "top_p": ("double", 1.0),
    "seed": ("long", 0),
}


def write_model(folder: Path, model: Model, keras_file: Path, card: dict[str, Any]) -> None:
    """An MLflow model folder around a `.keras` file, with its card, its signature and an input example."""
    card = completed(card)
    if names := classes.bring(keras_file, folder):
        card = {**card, "class_files": names}
    (folder / KERAS_FILE).parent.mkdir()
    shutil.copyfile(keras_file, folder / KERAS_FILE)
    shutil.copyfile(DEPLOY / "served.py", folder / CODE)  # by its path: an import would run it
    shutil.copyfile(DEPLOY / PREDICT, folder / PREDICT)
    (folder / "data" / "keras_module.txt").write_text("keras")
    (folder / CARD).write_text(as_json(card) + "\n", "utf-8")
    _write_environment(folder, card["versions"])
    model.signature = signature(card)
    _write_example(folder, model, card)
    model.add_flavor("keras", keras_version=card["versions"]["keras"], **FLAVOR)
    files = {"keras": KERAS_FILE, "card": CARD, "predict": PREDICT}
    pyfunc.add_to_model(
        model,
        loader_module=LOADER,
        model_code_path=CODE,
        python_env="python_env.yaml",
        artifacts={name: {"path": path, "uri": path} for name, path in files.items()},
    )
    model.save(str(folder / "MLmodel"))


def completed(card: dict[str, Any]) -> dict[str, Any]:
    """The card with what an early version did not write down: what the outputs are, and their labels."""
    numbers = card["metric"] == "mse" or card["shapes"]["output"]["shape"][-1] == 1
    kind = "numbers" if numbers else "classes"
    return {"answer": kind, "labels": card["preprocessing"].get("classes", []), **card}


def signature(card: dict[str, Any]) -> ModelSignature:
    """The columns that the model reads, and the parameters of a language model.

    A schema of a tensor would refuse lists, float64 and data frames. One of lists of doubles would refuse whole
    numbers, as JavaScript writes 1.0. So any type is let through, and the code of the model says what does not fit.
    """
    if "vocabulary" in card["preprocessing"]:
        params = [ParamSpec(name, kind, default) for name, (kind, default) in PARAMS.items()]
        return ModelSignature(Schema([ColSpec("string", "prompt")]), params=ParamSchema(params))
    if "source_steps" in card["preprocessing"]:
        return ModelSignature(Schema([ColSpec("string", "source")]))
    return ModelSignature(Schema([ColSpec(AnyType(), "sequence")]))


def _write_environment(folder: Path, versions: dict[str, str]) -> None:
    """What `mlflow models serve` installs where it makes an environment of its own."""
    packages = [f"{name}=={versions[name]}" for name in ("mlflow", "keras", "tensorflow", "numpy")]
    (folder / "requirements.txt").write_text("\n".join(packages) + "\n")
    lines = [
        f"python: {versions.get('python', platform.python_version())}",
        "build_dependencies:",
        "- pip",
        "dependencies:",
        "- -r requirements.txt",
    ]
    (folder / "python_env.yaml").write_text("\n".join(lines) + "\n")


def _write_example(folder: Path, model: Model, card: dict[str, Any]) -> None:
    """A short prompt, or one sequence of ones. A sample would carry the user's data into the store."""
    if "vocabulary" in card["preprocessing"]:
        example: dict[str, Any] = {"columns": ["prompt"], "data": [["The "]]}
    elif "source_steps" in card["preprocessing"]:
        example = {"columns": ["source"], "data": [[example_source(card["preprocessing"])]]}
    else:
        features = card["shapes"]["input"]["shape"][2:]
        sequence = [[1.0] * features[0] if features else 1] * EXAMPLE_STEPS
        example = {"columns": ["sequence"], "data": [[sequence]]}
    (folder / EXAMPLE).write_text(json.dumps(example))
    (folder / SERVING).write_text(json.dumps({"dataframe_split": example}))
    about = {"type": "dataframe", "pandas_orient": "split", "serving_input_path": SERVING}
    model.saved_input_example_info = {"artifact_path": EXAMPLE, **about}
