"""What a worker on another machine sends for a trial: with a checkpoint after each epoch, and with checkpoints by time.

    python -m experiments.benchmarks.traffic
    python -m experiments.benchmarks.traffic --epochs 2

The task is adding with length 100 and 2,048 training sequences. Each candidate is trained once for each side,
by a worker that talks to a desk as over a network.

messages    from the worker to the desk
MB          of checkpoints, weights and the model
MB/s        of them, for each second of the trial
seconds     of the trial
score       validation loss at the end, which must not differ
"""

import time
from pathlib import Path
from typing import Any

from experiments.benchmarks.rounds import Run, call_in_process, make_parser, print_head, print_row, setting
from experiments.config.spec import Spec

EPOCHS = 40
SIDES = ("each epoch", "by time")
CANDIDATES = (("gru", 64, 1), ("lstm", 128, 3))  # cell, width, depth


def make_each(*arguments: Any) -> Any:
    """The tuner of a worker that sends a checkpoint after each epoch."""
    from experiments.worker.build import make_remote_tuner

    tuner: Any = make_remote_tuner(*arguments)
    tuner.checkpoint_seconds = 0.0
    return tuner


def measure(side: str, epochs: int, cell: str, width: int, depth: int) -> Run:
    """Trains one candidate."""
    from functools import partial

    from experiments.config.folders import SearchFolder
    from experiments.engines.desk import Desk
    from experiments.launcher.engine import job_of, opened
    from experiments.tasks.loading import find
    from experiments.tasks.loading.digest import digest_of
    from experiments.worker.build import make_oracle, make_remote_tuner
    from experiments.worker.job import work_remotely

    options = {"length": "100", "train": "2048", "val": "256"}
    task = find.make("adding", options)
    arrays = [task.split(name, 0) for name in ("train", "val")]
    space: dict[str, Any] = {"depth": str(depth), "width": str(width), "learning_rate": "0.001"}
    how: dict[str, Any] = {"trials": 1, "epochs": epochs, "pruner": "none", "no_horizon": True, "oracle": "random"}
    spec = Spec(name="t", task="adding", options=options, cells=[cell], digest=digest_of(arrays), **space, **how)
    folder = SearchFolder(Path("search"))
    folder.path.mkdir()
    spec.write(folder)
    desk = Desk(folder, lambda: opened(spec, task, len(arrays[0][0]), partial(make_oracle, folder, spec, "s")))
    sent, messages = 0, 0

    def ask(message: dict[str, Any]) -> Any:
        nonlocal sent, messages
        messages += 1
        sent += sum(len(content) for content in message.get("files", {}).values() if isinstance(content, bytes))
        return desk.answer([("worker", message)])[0]

    job = job_of(make_each if side == SIDES[0] else make_remote_tuner, folder, folder.code, spec, task, "s")
    desk.open()
    began = time.perf_counter()
    work_remotely(job, 0, "worker", None, ask)
    seconds = time.perf_counter() - began
    desk.close()
    end = folder.trial(0).journal.events()[-1]
    return {"messages": messages, "bytes": sent, "seconds": seconds, "score": end["score"]}


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--epochs", type=int, default=EPOCHS, metavar="N", help=f"of a trial (default: {EPOCHS})")
    chosen = parser.parse_args()
    print(setting("tensorflow", "keras"))
    print_head("side", "messages", "MB", "MB/s", "seconds", "score")
    for candidate in CANDIDATES:
        for side in SIDES:
            found = call_in_process(measure, side, chosen.epochs, *candidate)
            size = found["bytes"] / 1e6
            name = f"{candidate[0]}-{candidate[1]}x{candidate[2]}, {side}"
            print_row(name, f"{found['messages']}", f"{size:.1f}", f"{size / found['seconds']:.2f}",
                      f"{found['seconds']:.1f}", f"{found['score']:.5f}")  # fmt: skip


if __name__ == "__main__":
    main()
