"""How fast the tasks make their samples: sequence steps a second on one core.

    python -m experiments.benchmarks.generators
    python -m experiments.benchmarks.generators --rounds 9 --steps 5000000

Each number is the median of several rounds. The goal is 5 million steps a second. For the tasks with a grammar it is
0.3 million.
"""

import statistics
import time

import numpy as np

from experiments.benchmarks.rounds import make_parser, setting
from experiments.tasks import base
from experiments.tasks.loading import find

MILLION = 1_000_000
GOALS = {"dyck": 0.3, "listops": 0.3, "reber": 0.3}  # million steps a second; all others have GOAL
GOAL = 5.0
PADDED = ("listops", "parity", "reber", "temporal_order")  # their padding, which is 0, is not counted
OPTIONS = [
    *((name, {}) for name in find.names() if find.task_class(name).split is base.Task.split),
    ("adding", {"variant": "anywhere"}),
    ("copy_memory", {"variant": "tcn"}),
    ("copy_memory", {"variant": "variable"}),
]


def million_steps_a_second(name: str, options: dict[str, str], steps: int) -> float:
    """The speed of one call of `sample` that makes about `steps` steps."""
    task = find.make(name, options)
    began = time.perf_counter()
    x, _ = task.sample(np.random.default_rng(0), max(1, steps // task.steps))
    seconds = time.perf_counter() - began
    real = np.count_nonzero(x) if name in PADDED else x.shape[0] * x.shape[1]
    return float(real / seconds / MILLION)


def main() -> None:
    parser = make_parser(__doc__, rounds=5)
    parser.add_argument("--steps", type=int, default=2 * MILLION, help="sequence steps a round (default: 2,000,000)")
    chosen = parser.parse_args()
    print(setting("numpy"))
    for name, options in OPTIONS:
        speeds = [million_steps_a_second(name, options, chosen.steps) for _ in range(chosen.rounds)]
        speed, title = statistics.median(speeds), " ".join([name, *options.values()])
        print(f"{title:<24} {speed:8.2f} million steps/s, {speed / GOALS.get(name, GOAL):6.2f} of the goal")


if __name__ == "__main__":
    main()
