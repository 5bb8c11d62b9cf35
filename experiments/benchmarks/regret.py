"""How soon a strategy finds a good model: ours and Keras Tuner's on a table of trainings, without training.

    python -m experiments.benchmarks.regret                                        20 seeds; half an hour on two cores
    python -m experiments.benchmarks.regret --seeds 3 --sides "ours, tpe, halving;keras tuner, hyperband"
    python -m experiments.benchmarks.regret --build searches/table                 makes a new table

The table has the learning curves of every point of a space, three executions each. It comes from one of our searches
(`--oracle grid --pruner none --executions 3`). A strategy sees one execution of a point, and it pays for every epoch
that it looks at.

After some epochs a strategy has found the point with the best score that it has seen by then. The score of a point is
the mean over its executions, each with its best epoch. The regret is by how much the score of the found point is worse
than the best score of the table. The printed regrets are medians over the seeds.

Our strategies run in the real loop of our tuner with oracle, pruner and journals, with one worker. Keras Tuner's run in
its own search. A trial that its Hyperband promotes pays only for its new epochs.

"fair" and "equal" are values of --allocate. A side without them has "best".

"2 + 8 seen" is a TPE that sees the best 2 and the latest 8 trials. It stands for a search of 10,000 trials. In such a
search TPE sees the best 200 and the latest 800. "drawn" is a TPE that draws points. TPE does so in a space of more than
5,000 points. In a smaller space it compares all untried points.
"""

import os
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmarks.regret_searches import TRAININGS, regrets
from experiments.benchmarks.regret_table import TABLE, Table, build
from experiments.benchmarks.rounds import Run, call_in_process, make_parser, print_head, print_row, setting
from experiments.system.resources import usable_cores

ALONE = "ours, tpe, halving"  # the strategy alone decides which cells are tried
DEFAULT = f"{ALONE}, fair"
OURS = [DEFAULT, f"{ALONE}, equal", ALONE, f"{ALONE}, 2 + 8 seen", f"{ALONE}, drawn"] + [
    f"ours, {oracle}, {pruner}"
    for oracle in ("tpe", "random")
    for pruner in ("none", "median", "halving", "hyperband")
    if f"ours, {oracle}, {pruner}" != ALONE
]
SMALL = 3e-5  # a regret that tells good strategies apart
PEERS = ["keras tuner, random", "keras tuner, bayesian", "keras tuner, hyperband"]


def search(path: str, side: str, seed: int) -> Run:
    found, ended = regrets(Table(Path(path)), side, seed)
    return {"regrets": found, "ended": ended}


def report(table: Table, sides: list[str], seeds: int, path: Path) -> None:
    """Runs each search in a process, one process for each core. Prints the table, and whether the target is met."""
    print(f"{setting('keras-tuner', 'optuna')}; {seeds} seeds")
    print(f"table: {table.describe()}\n")
    budgets = [f"{count * table.epochs} epochs" for count in TRAININGS]
    print_head("median regret after", *budgets, f"epochs until {SMALL:g}", "ended by")
    medians: dict[str, Any] = {}
    where = str(path.absolute())
    with ThreadPoolExecutor(usable_cores()) as pool, cancelled_on_error(pool):
        found = {
            side: [pool.submit(call_in_process, search, where, side, seed) for seed in range(seeds)] for side in sides
        }
        for side, searches in found.items():
            results = [one.result() for one in searches]
            medians[side] = np.median([one["regrets"] for one in results], axis=0)
            shown = (f"{medians[side][count * table.epochs - 1]:.3g}" for count in TRAININGS)
            print_row(side, *shown, until(medians[side], SMALL), statistics.mode(one["ended"] for one in results))
    peers = [side for side in sides if side in PEERS]
    if DEFAULT in sides and peers:
        print(f"\n{target(medians, min(peers, key=lambda side: float(medians[side][-1])))}")


@contextmanager
def cancelled_on_error(pool: ThreadPoolExecutor) -> Iterator[None]:
    """After an error or Ctrl-C inside, what has not begun in the pool is cancelled."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def until(medians: Any, regret: float) -> str:
    """The epochs after which the median regret is so small; "-" if it never is."""
    reached = np.flatnonzero(medians <= regret)
    return str(int(reached[0]) + 1) if len(reached) else "-"


def target(medians: dict[str, Any], peer: str) -> str:
    """The share of the budget after which our default is as good as a peer after all of it."""
    wanted = medians[peer][-1]
    reached = np.flatnonzero(medians[DEFAULT] <= wanted)
    if not len(reached):
        return f"{DEFAULT} does not reach the {wanted:.3g} of {peer} (target: with half of its budget)"
    epochs, full = int(reached[0]) + 1, len(medians[peer])
    itself = int(np.flatnonzero(medians[peer] <= wanted)[0]) + 1
    share = f"{epochs} epochs, {epochs / full:.2f} of {full} (target: 0.50 at the most)"
    return f"{DEFAULT} reaches the {wanted:.3g} of {peer} after {share}; {peer} reaches it after {itself}"


def main() -> None:
    parser = make_parser(__doc__, sides=OURS + PEERS)
    parser.add_argument("--build", type=Path, metavar="FOLDER", help="makes the table from this finished search")
    parser.add_argument("--table", type=Path, default=TABLE, help="the table's file (default: the one of this package)")
    parser.add_argument("--seeds", type=int, default=20, help="searches of each strategy (default: 20)")
    chosen = parser.parse_args()
    if chosen.build:
        build(chosen.build, chosen.table)
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # with more threads Keras Tuner's Bayesian takes longer
    report(Table(chosen.table), chosen.sides, chosen.seeds, chosen.table)


if __name__ == "__main__":
    main()
