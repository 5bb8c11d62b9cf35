"""2,000 training steps with our kernels, beside Keras' defaults and PyTorch, on one core; compilation included.

    python -m experiments.benchmarks.kernels                             every case; takes ten minutes
    python -m experiments.benchmarks.kernels --cells gru --lengths 30 --steps 64

A case is a cell, a length and a width. Its model is one layer and a linear head. A batch has 64 sequences of 2
features; the optimizer is Adam and the loss the squared error. Each side of a case is a process on one core, and the
sides take turns.

Ours        What a worker of a search does. `search_spaces.kernels` chooses the kernel for that number of steps. An
            execution has sixteen steps, which are traced as one function. There is one input pipeline, gradients are
            clipped, and Adam updates a variable in one operation.
Keras       `fit` on arrays, with Keras' defaults.
PyTorch     A plain training loop. PyTorch is installed into an environment in the cache folder. Where pip cannot fetch
            it, this side is left out.

The share of the peak is that of the layer alone, forward and backward, of all operations that this core can do in
single precision: see peak.py. The time of compilation is how much longer the first 16 steps take than 16 later steps.
The time of a step is the median of --steps timed steps. It leaves out what happens only at the beginning and the end of
an epoch. Our steps are timed sixteen at a time. The second in which a worker loads Numba's code, once for all of its
trials, is left out.
"""

import math
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from experiments.benchmarks.rounds import Run, call_in_process, make_parser, print_head, print_row, run_rounds, setting
from experiments.benchmarks.torch_steps import TORCH, torch_python, torch_steps
from experiments.training.kernel_speed import BATCH, FEATURES, LENGTHS, WARM, WIDTHS, data

Case = tuple[str, int, int]  # cell, length, width
STEPS = 2_000
GOALS = {"simple_rnn": 2.8, "gru": 3.0, "lstm": 2.1}  # of the geometric means
LEAST = 1.3  # the goal of every single case
HEAD = (
    *("cell", "length", "width", "kernel"),
    *("ms per step: ours", "Keras", "PyTorch"),
    *("compiling, s: ours", "Keras"),
    *("faster than Keras", "than PyTorch"),
    "share of the peak",
)


def ours(cell: str, length: int, width: int, steps: int) -> Run:
    """What is measured of one case in this process: seconds, the kernel, and the share of the core's peak."""
    from experiments.benchmarks.peak import layer_operations, layer_seconds, peak
    from experiments.training.kernel_speed import measure
    from experiments.worker.process import become_worker
    from search_spaces.kernels import kernel
    from search_spaces.native.check import trouble

    chosen, _ = kernel([cell], become_worker(), STEPS * length)
    found = measure(chosen, cell, length, width, steps)
    if trouble():
        return {**found, "kernel": chosen, "share": math.nan}  # Numba measures the peak
    reached = layer_operations(cell, length, width) / layer_seconds(chosen, cell, length, width)
    return {**found, "kernel": chosen, "share": reached / peak()}


def keras_defaults(cell: str, length: int, width: int, steps: int) -> Run:
    """Seconds of a step and of compilation of one case, in this process."""
    import keras

    from experiments.worker.process import use_one_thread

    use_one_thread()
    times: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: times.append(time.perf_counter()))
    layer = {"simple_rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[cell]
    model = keras.Sequential([keras.Input((length, FEATURES)), layer(width), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    began = time.perf_counter()
    model.fit(*data(length, WARM), batch_size=BATCH, verbose=0)
    first = time.perf_counter() - began
    model.fit(*data(length, steps), batch_size=BATCH, verbose=0, callbacks=[clock])
    step = statistics.median(later - earlier for earlier, later in zip(times, times[1:], strict=False))
    return {"step": step, "compile": max(0.0, first - WARM * step)}


def whole_seconds(found: Run) -> float:
    """Seconds of STEPS training steps, compilation included."""
    return float(found["compile"] + STEPS * found["step"])


def measure_case(case: Case, steps: int, rounds: int, python: Path | None) -> dict[str, Run]:
    """Each side's round with the median time of STEPS steps; PyTorch's if there is a `python` that has it."""

    def run(side: str, number: int) -> Run:
        if side == "torch" and python is not None:
            return torch_steps(python, *case, steps)
        return call_in_process(ours if side == "ours" else keras_defaults, *case, steps)

    sides = ["ours", "keras", *(["torch"] if python else [])]
    found = run_rounds(sides, rounds, run, shown=False)
    return {side: sorted(runs, key=whole_seconds)[(len(runs) - 1) // 2] for side, runs in found.items()}


def print_case(case: Case, found: dict[str, Run]) -> tuple[float, float]:
    """Prints a row of the table. Returns how many times faster ours is than Keras and than PyTorch (nan without it)."""
    mine = found["ours"]
    sides = [found.get(side) for side in ("ours", "keras", "torch")]
    ratios = [whole_seconds(side) / whole_seconds(mine) if side else math.nan for side in sides[1:]]
    print_row(
        *(str(part) for part in case),
        mine["kernel"],
        *(f"{1000 * side['step']:.2f}" if side else "-" for side in sides),
        *(f"{found[side]['compile']:.1f}" for side in ("ours", "keras")),
        *("-" if math.isnan(ratio) else f"{ratio:.2f}" for ratio in ratios),
        "-" if math.isnan(mine["share"]) else f"{mine['share']:.0%}",
    )
    return ratios[0], ratios[1]


def mean(ratios: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, ratios)))


def summary(cell: str, pairs: list[tuple[float, float]]) -> str:
    """Geometric means over the cases of a cell. A pair says how much faster ours is than Keras and PyTorch (or nan)."""
    by_keras, by_torch = (list(ratios) for ratios in zip(*pairs, strict=True))
    torch = "" if math.isnan(by_torch[0]) else f"; {mean(by_torch):.2f} times as fast as PyTorch"
    least = f"at the least {min(by_keras):.2f} (goal {LEAST})"
    return f"{cell}: {mean(by_keras):.2f} times as fast as Keras (goal {GOALS[cell]}), {least}{torch}"


def cases(cell: str, lengths: str, widths: str) -> Iterator[Case]:
    return ((cell, int(length), int(width)) for length in lengths.split(",") for width in widths.split(","))


def use_one_core() -> None:
    """Binds this process, and all that it starts from now on, to one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", OMP_NUM_THREADS="1")


def main() -> None:
    parser = make_parser(__doc__, rounds=1)
    parser.add_argument("--cells", default=",".join(GOALS), help="default: %(default)s")
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS)), help="default: %(default)s")
    parser.add_argument("--widths", default=",".join(map(str, WIDTHS)), help="default: %(default)s")
    parser.add_argument(
        "--steps", type=int, default=304, help="timed steps, rounded up to sixteens for ours (default: 304)"
    )
    chosen = parser.parse_args()
    use_one_core()
    python = torch_python()
    print(f"{setting('tensorflow', 'keras')}{f', {TORCH}' if python else ''}\n")
    print_head(*HEAD)
    ratios = {
        cell: [
            print_case(case, measure_case(case, chosen.steps, chosen.rounds, python))
            for case in cases(cell, chosen.lengths, chosen.widths)
        ]
        for cell in chosen.cells.split(",")
    }
    for cell, pairs in ratios.items():
        print(f"\n{summary(cell, pairs)}", end="")
    print()


if __name__ == "__main__":
    main()
