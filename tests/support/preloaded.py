"""The server of `warm.py` imports this before it forks: all that a search, its workers and MLflow's server import."""

import gc
import importlib
import os

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", MLFLOW_DISABLE_TELEMETRY="true")

from experiments.system.imports import import_keras

MODULES = (
    *("mlflow.keras", "mlflow.server.fastapi_app", "mlflow.store.tracking.sqlalchemy_store", "optuna"),
    *("tracking.record", "tracking.export", "experiments.launcher.launch", "experiments.launcher.sync"),
    *("experiments.launcher.finals", "experiments.launcher.export", "experiments.training.scoring"),
    *("experiments.worker.tuner", "experiments.worker.finals"),
)

shown = os.dup(2)
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # imports write to the error stream, which may be what a test captures
import_keras()  # first, as in a worker: later the packages that it hides would be there
for module in MODULES:
    importlib.import_module(module)
os.dup2(shown, 2)
gc.collect()
gc.freeze()  # a fork that collects garbage would copy all of it
