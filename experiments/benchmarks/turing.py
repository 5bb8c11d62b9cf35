"""Does a Neural Turing machine learn to copy, and does it copy what is longer than all it has seen? An LSTM beside it.

    python -m experiments.benchmarks.turing
    python -m experiments.benchmarks.turing --seeds 2 --sequences 30000 --controller lstm --plot addressing.png

Both train on `ntm_copy` with fresh sequences of 1 to 20 vectors, from the same seeds. The machine,
search_spaces/ntm.py, is trained as in Graves et al. 2014, arXiv:1410.5401: one sequence at a time, RMSprop with
momentum 0.9. The LSTM has as many weights; it reads 8 sequences at a time, with Adam at 3e-3. A training ends below
0.05 bits a sequence, or after `--sequences`. Then both copy 20 and 120 vectors.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.rounds import setting
from experiments.system.imports import import_keras
from experiments.tasks.ntm_copy import NtmCopy
from tracking.addressing import draw

ROUND = 1_000  # sequences between two scores
ENOUGH = 0.05  # bits a sequence
TASK = NtmCopy(train=ROUND, val=64)
LENGTHS = (20, 120)
TESTED = 16  # sequences of each length
UNITS, LSTM_UNITS = 100, 52
FEED_FORWARD, LSTM = "feed-forward", "lstm"


def machine(controller: str) -> Any:
    """A machine that is compiled as the paper trains it, in one program of XLA."""
    import keras

    from search_spaces.losses import masked_binary
    from search_spaces.ntm import NTMCell

    recurrent = keras.layers.RNN(NTMCell(UNITS, controller=controller), return_sequences=True)
    model = keras.Sequential([keras.Input((None, TASK.features)), recurrent, keras.layers.Dense(TASK.outputs)])
    optimizer = keras.optimizers.RMSprop(1e-4, rho=0.95, momentum=0.9, global_clipnorm=10.0)
    model.compile(optimizer, masked_binary(), jit_compile=True)
    return model


def lstm() -> Any:
    import keras

    from search_spaces.losses import masked_binary

    recurrent = keras.layers.LSTM(LSTM_UNITS, return_sequences=True)
    model = keras.Sequential([keras.Input((None, TASK.features)), recurrent, keras.layers.Dense(TASK.outputs)])
    model.compile(keras.optimizers.Adam(3e-3, global_clipnorm=1.0), masked_binary())
    return model


def train(model: Any, seed: int, batch: int, sequences: int) -> tuple[int, float, float]:
    """Trains until the score is ENOUGH; returns the sequences, the bits of the validation split, and the seconds."""
    import tensorflow as tf

    x, y = TASK.split("val", seed)
    began, seen, score = time.process_time(), 0, np.inf
    while seen < sequences and score > ENOUGH:
        fresh = TASK.split("train", seed, 1 + seen // ROUND)
        model.fit(tf.data.Dataset.from_tensor_slices(fresh).batch(batch), shuffle=False, verbose=0)
        seen += ROUND
        score = TASK.score(y, model.predict_on_batch(x))
    return seen, score, time.process_time() - began


def copied(model: Any, seed: int, length: int) -> tuple[float, float]:
    """The cost in bits of a sequence of `length` vectors, and the number of its wrong bits."""
    task = NtmCopy(length=length, shortest=length, test=TESTED)
    x, y = task.split("test", seed)
    outputs = np.asarray(model.predict_on_batch(x))
    return task.score(y, outputs), float((((outputs > 0) != (y == 1)) & (y >= 0)).sum() / TESTED)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each, from the seeds 0, 1, … (default: 3)")
    parser.add_argument("--sequences", type=int, default=26_000, help="of a training at most (default: 26000)")
    text = "of the machine (default: feed-forward)"
    parser.add_argument("--controller", choices=(FEED_FORWARD, LSTM), default=FEED_FORWARD, help=text)
    parser.add_argument("--plot", type=Path, help="draws where the machine of the last seed looks (default: none)")
    chosen = parser.parse_args()
    import_keras()
    import keras

    print(setting("tensorflow", "keras"))
    print("model  seed  weights  sequences  CPU s  bits, 1 to 20  bits at 20  bits at 120  wrong bits of 960")
    for seed in range(chosen.seeds):
        for name, build, batch in (("ntm", lambda: machine(chosen.controller), 1), ("lstm", lstm, 8)):
            keras.utils.set_random_seed(seed)
            model = build()
            seen, score, seconds = train(model, seed, batch, chosen.sequences)
            (short, _), (long, wrong) = (copied(model, seed, length) for length in LENGTHS)
            row = f"{name:<5} {seed:5} {model.count_params():8,} {seen:10,} {seconds:6.0f} {score:14.3f}"
            print(f"{row} {short:11.3f} {long:12.3f} {wrong:18.2f}", flush=True)
            if name == "ntm" and chosen.plot and seed == chosen.seeds - 1:
                draw(model, NtmCopy(shortest=20, test=1).split("test", 0)[0][0], chosen.plot)


if __name__ == "__main__":
    main()
