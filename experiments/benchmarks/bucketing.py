"""How much time buckets save, and what they cost: batches cut behind their longest sample, beside uncut ones.

    python -m experiments.benchmarks.bucketing
    python -m experiments.benchmarks.bucketing --source cmudict --train 40000 --cell lstm --buckets 1;2;4;8

A GRU of width 128 with attention learns the sounds of words (task `g2p`). Each training is a new process.
Each row is a number of buckets; 1 cuts nothing. The seconds are those of the processor: of the first epoch, in which
XLA compiles, and the median of the later ones. Scores are exact match on the validation split after the last epoch.
"""

import statistics
import time

from experiments.benchmarks.rounds import (
    Run,
    call_in_process,
    make_parser,
    medians,
    print_head,
    print_row,
    run_rounds,
    setting,
)
from experiments.config.spec import BUCKETS
from experiments.system.imports import import_keras

BATCH, WIDTH, RATE = 64, 128, 0.003


def trained(source: str, train: int, cell: str, epochs: int, count: int, seed: int) -> Run:
    """The seconds of the first epoch and of a later one, and the score after the last."""
    import_keras()
    import keras
    import keras_tuner

    from experiments.tasks.g2p import G2p
    from experiments.training.tracing import rewrite_graphs
    from experiments.training.training import Training
    from experiments.worker.process import use_one_thread
    from search_spaces.recurrent import RecurrentSpace

    use_one_thread()
    rewrite_graphs(False)
    keras.utils.set_random_seed(seed)
    task = G2p(source=source, train=train, longest=20)
    space = RecurrentSpace(
        task.outputs,
        task.loss,
        tokens=task.tokens,
        padding=task.padding,
        per_step=True,
        source_steps=task.source_steps,
        attention=["dot"],
        cells=[cell],
        depths=[1],
        widths=[WIDTH],
        learning_rate=[RATE],
        work=10**12,
    )
    model = space.build(keras_tuner.HyperParameters())
    training = Training(model, task, task.split("train", seed), task.split("val", seed), BATCH, seed, (0, 0), count)
    seconds = []
    for _ in range(epochs):
        before = time.process_time()
        logs = training.run_epoch()
        seconds.append(time.process_time() - before)
    later = statistics.median(seconds[1:] or seconds)
    return {"first": seconds[0], "later": later, "exact": logs["val_exact"]}


def main() -> None:
    parser = make_parser(__doc__, rounds=3)
    parser.add_argument("--source", choices=("rules", "cmudict"), default="rules", help="of words (default: rules)")
    parser.add_argument("--train", type=int, default=12_000, help="words of training (default: 12000)")
    parser.add_argument("--cell", choices=("simple_rnn", "lstm", "gru"), default="gru", help="(default: gru)")
    parser.add_argument("--epochs", type=int, default=8, help="of each training (default: 8)")
    parser.add_argument("--buckets", default=f"1;{BUCKETS}", help=f"numbers of buckets (default: 1;{BUCKETS})")
    chosen = parser.parse_args()
    sides = chosen.buckets.split(";")
    about = chosen.source, chosen.train, chosen.cell, chosen.epochs
    found = run_rounds(sides, chosen.rounds, lambda side, seed: call_in_process(trained, *about, int(side), seed))
    print(f"\n{setting('tensorflow', 'keras')}\n")
    print_head("buckets", "first epoch", "later epochs", "ratio", "exact, all rounds")
    middle = medians(found)
    for side in sides:
        scores = ", ".join(f"{run['exact']:.3f}" for run in found[side])
        seconds = f"{middle[side]['first']:.2f} s", f"{middle[side]['later']:.2f} s"
        print_row(side, *seconds, f"{middle[side]['later'] / middle[sides[0]]['later']:.2f}", scores)


if __name__ == "__main__":
    main()
