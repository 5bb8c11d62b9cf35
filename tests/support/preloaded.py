"""The server of `warm.py` imports this before it forks: all that a search, its workers and MLflow's server import."""

import gc
import importlib
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", MLFLOW_DISABLE_TELEMETRY="true")

from experiments.cli import main
from experiments.system.imports import import_keras
from search_spaces import cells
from tracking import store
from tracking.root import ARTIFACTS

MODULES = (
    *("mlflow.keras", "mlflow.pyfunc", "mlflow.server.fastapi_app", "mlflow.store.tracking.sqlalchemy_store", "optuna"),
    *("mlflow.store.tracking.sqlalchemy_workspace_store", "mlflow.utils.search_logged_model_utils"),
    *("alembic.command", "sqlalchemy.dialects.sqlite"),
    *("tracking.record", "tracking.export", "experiments.launcher.launch", "experiments.launcher.sync"),
    *("tracking.attention", "tracking.charts", "tracking.code", "tracking.deleted", "tracking.views"),
    *("experiments.launcher.finals", "experiments.launcher.export", "experiments.training.scoring"),
    *("experiments.strategy.draws", "experiments.tasks.adding"),
    *("experiments.worker.tuner", "experiments.worker.finals"),
)


def _new_store() -> bytes:
    """The file of a store without a run. MLflow takes a second to make it, which is a third of a small search."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mlflow.db"
        store._new_database(file)
        return file.read_bytes()


def new_database(file: Path) -> None:
    """Replaces `store._new_database` in a fork. Processes that are not forks, and tests of the store, call MLflow's."""
    new = file.with_name(f"{file.name}.new")
    new.write_bytes(NEW_STORE)
    with closing(sqlite3.connect(new)) as database, database:
        place = (file.parent / ARTIFACTS / "0").as_uri()
        database.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0", (place,))
    new.replace(file)


shown = os.dup(2)
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # imports write to the error stream, which may be what a test captures
import_keras()  # first, as in a worker: later the packages that it hides would be there
for module in MODULES:
    importlib.import_module(module)
for command in main.names():
    main.load(command)
for cell in cells.names():
    cells.load(cell)
NEW_STORE = _new_store()
os.dup2(shown, 2)
gc.collect()
gc.freeze()  # a fork that collects garbage would copy all of it
