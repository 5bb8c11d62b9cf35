"""What the server of `warm.py` imports before it forks: what a search and its workers import."""

import gc
import os

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", MLFLOW_DISABLE_TELEMETRY="true")

from experiments.system.imports import import_keras

# Imports write to the error stream, which may be what a test captures.
shown = os.dup(2)
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
import_keras()

import mlflow.keras  # noqa: E402
import mlflow.server.fastapi_app  # noqa: E402
import mlflow.store.tracking.sqlalchemy_store  # noqa: E402,F401
import optuna  # noqa: E402,F401

import tracking.export  # noqa: E402
import tracking.record  # noqa: E402,F401

os.dup2(shown, 2)
gc.collect()
gc.freeze()  # a fork that collects garbage would copy all of it
