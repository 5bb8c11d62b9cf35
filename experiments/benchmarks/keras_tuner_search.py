"""The peer of `throughput`: what a user writes today, Keras Tuner by itself or with MLflow's autologging.

    python -m experiments.benchmarks.keras_tuner_search --mlflow off|autolog [--length 100] [--epochs 5] [--train 2048]

Trains the 12 candidates of a fixed grid (3 cells x depth 1-2 x width 32, 64) on the adding problem with Keras'
defaults, in the current folder, and prints one line of JSON.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
BATCH = 64


def adding(rng: Any, count: int, length: int) -> tuple[Any, Any]:
    """x (count, length, 2) and y (count, 1): one mark in each half, y the sum of the marked values."""
    import numpy as np

    x = np.zeros((count, length, 2), "float32")
    x[:, :, 0] = rng.random((count, length))
    rows = np.arange(count)
    x[rows, rng.integers(0, length // 2, count), 1] = 1
    x[rows, rng.integers(length // 2, length, count), 1] = 1
    return x, (x[:, :, 0] * x[:, :, 1]).sum(1, keepdims=True)


def build(length: int) -> Callable[[Any], Any]:
    import keras

    def model(hp: Any) -> Any:
        cell = getattr(keras.layers, hp.Choice("cell", ["SimpleRNN", "LSTM", "GRU"]))
        depth, width = hp.Choice("depth", [1, 2]), hp.Choice("width", [32, 64])
        layers = [cell(width, return_sequences=i < depth - 1) for i in range(depth)]
        net = keras.Sequential([keras.Input((length, 2)), *layers, keras.layers.Dense(1)])
        net.compile(keras.optimizers.Adam(1e-3), "mse")
        return net

    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlflow", choices=["off", "autolog"], default="off")
    parser.add_argument("--length", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--train", type=int, default=2048)
    chosen = parser.parse_args()
    began = time.perf_counter()
    import keras_tuner
    import numpy as np

    rng = np.random.default_rng(0)
    train, val = adding(rng, chosen.train, chosen.length), adding(rng, chosen.train // 4, chosen.length)
    tuner = keras_tuner.GridSearch(
        build(chosen.length), objective="val_loss", max_trials=12, directory="kt", project_name="adding"
    )
    if chosen.mlflow == "autolog":
        import mlflow

        mlflow.set_tracking_uri("sqlite:///mlflow.db")
        mlflow.set_experiment("adding")
        mlflow.tensorflow.autolog()
    ready = time.perf_counter()
    tuner.search(*train, validation_data=val, epochs=chosen.epochs, batch_size=BATCH, verbose=0)
    done = time.perf_counter()
    scores = sorted(trial.score for trial in tuner.oracle.get_best_trials(12))
    steps = len(scores) * chosen.epochs * -(-chosen.train // BATCH)
    seconds = {"search": done - ready, "whole": time.perf_counter() - began}
    print(json.dumps({**seconds, "trials": len(scores), "steps": steps, "best": scores[0]}))


if __name__ == "__main__":
    main()
