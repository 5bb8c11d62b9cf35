"""The peer of `throughput`: what a user writes today with Keras Tuner, alone or with MLflow's autologging.

    python -m experiments.benchmarks.keras_tuner_search --mlflow off|autolog [--length 100] [--epochs 5] [--train 2048]

Trains the 12 candidates of a fixed grid (3 cells x depth 1-2 x width 32, 64) on the adding problem, with Keras'
defaults. Writes its files into the current folder and prints one line of JSON.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any

from experiments.benchmarks.rounds import Run, make_parser

BATCH = 64


def adding(rng: Any, count: int, length: int) -> tuple[Any, Any]:
    """x (count, length, 2) with one mark in each half, and y (count, 1), the sum of the two marked values."""
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


def search(mlflow: str, length: int, epochs: int, train: int) -> Run:
    """Seconds, trials, training steps and the best score of one search."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    began = time.perf_counter()
    import keras_tuner
    import numpy as np

    rng = np.random.default_rng(0)
    data, val = adding(rng, train, length), adding(rng, train // 4, length)
    tuner = keras_tuner.GridSearch(
        build(length), objective="val_loss", max_trials=12, directory="kt", project_name="adding"
    )
    if mlflow == "autolog":
        start_autologging()
    ready = time.perf_counter()
    tuner.search(*data, validation_data=val, epochs=epochs, batch_size=BATCH, verbose=0)
    done = time.perf_counter()
    scores = sorted(trial.score for trial in tuner.oracle.get_best_trials(12))
    steps = len(scores) * epochs * -(-train // BATCH)
    seconds = {"search": done - ready, "whole": time.perf_counter() - began}
    return {**seconds, "trials": len(scores), "steps": steps, "best": scores[0]}


def start_autologging() -> None:
    import mlflow

    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.set_experiment("adding")
    mlflow.tensorflow.autolog()


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--mlflow", choices=["off", "autolog"], default="off", help="default: %(default)s")
    parser.add_argument("--length", type=int, default=100, help="steps of a sequence (default: 100)")
    parser.add_argument("--epochs", type=int, default=5, help="epochs of each trial (default: 5)")
    parser.add_argument("--train", type=int, default=2048, help="training sequences (default: 2048)")
    print(json.dumps(search(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
