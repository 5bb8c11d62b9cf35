"""2,000 training steps with our kernels, beside Keras' defaults and PyTorch, on one core; compilation included.

    python -m experiments.benchmarks.kernels                             every case; takes ten minutes
    python -m experiments.benchmarks.kernels --cells gru --lengths 30 --steps 64

A case is a cell, a length and a width: one layer and a linear head, 64 sequences of 2 features, Adam, squared error.
Keras' side is `fit` on arrays as anybody writes it. Ours is what a worker of a search does: the kernel that
`search_spaces.kernels` chooses for so many steps, sixteen steps an execution, traced as one function, one input
pipeline, clipped gradients. Each side of a case is a process of its own on one core, one after the other, sides in
turn. Compilation is what the first 16 steps take beyond 16 later ones; a step is the median of --steps timed ones (ours
in sixteens), without the beginnings and ends of epochs. PyTorch comes into an environment of its own in the cache
folder; where pip cannot fetch it, its side is left out.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

from experiments.benchmarks.processes import measured, setting
from experiments.data.cache import folder
from experiments.training.kernel_speed import BATCH, CELLS, FEATURES, LENGTHS, WARM, WIDTHS, data

STEPS = 2_000
TORCH = "torch==2.13.0"
GOALS = {"simple_rnn": 1.6, "gru": 1.6, "lstm": 0.95}  # geometric means; no single case below LEAST
LEAST = 0.95


def our_kernel(cell: str, length: int, width: int, steps: int) -> dict[str, Any]:
    """Seconds of a step, seconds of compilation and the kernel of one case, in this process."""
    from experiments.training.kernel_speed import measure
    from experiments.worker.process import become_worker
    from search_spaces.kernels import kernel

    chosen, _ = kernel([cell], become_worker(), STEPS * length)
    return {**measure(chosen, cell, length, width, steps), "kernel": chosen}


def keras_defaults(cell: str, length: int, width: int, steps: int) -> dict[str, Any]:
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


TORCH_SIDE = """
import json, statistics, sys, time
import torch
cell, length, width, steps, batch, features, warm = sys.argv[1], *map(int, sys.argv[2:])
torch.set_num_threads(1)
torch.manual_seed(0)
kind = {"simple_rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
recurrent, head = kind(features, width, batch_first=True), torch.nn.Linear(width, 1)
optimizer = torch.optim.Adam([*recurrent.parameters(), *head.parameters()], lr=1e-3)
x = torch.rand(steps + warm, batch, length, features)
times = []
for part in x:
    began = time.perf_counter()
    optimizer.zero_grad()
    target = part[:, 0, :1] + part[:, -1, :1]
    torch.nn.functional.mse_loss(head(recurrent(part)[0][:, -1]), target).backward()
    optimizer.step()
    times.append(time.perf_counter() - began)
step = statistics.median(times[warm:])
print(json.dumps({"step": step, "compile": max(0.0, sum(times[:warm]) - warm * step), "version": torch.__version__}))
"""


def torch_python() -> Path | None:
    """The interpreter of an environment with PyTorch, made if it is missing; None where that cannot be had."""
    place = folder("torch")
    if place is None:
        return None
    python = place / "bin" / "python"
    check = f"import torch; raise SystemExit(torch.__version__.split('+')[0] != '{TORCH.split('==')[1]}')"
    if not python.exists() or subprocess.run([python, "-c", check], capture_output=True).returncode:
        print(f"installing {TORCH} into {place} ...", file=sys.stderr)
        venv.create(place, with_pip=True, clear=True)
        if subprocess.run([python, "-m", "pip", "install", "-q", TORCH, "numpy"], capture_output=True).returncode:
            print(f"without PyTorch: pip could not install {TORCH}", file=sys.stderr)
            return None
    return python


def torch_side(python: Path, cell: str, length: int, width: int, steps: int) -> dict[str, Any]:
    sizes = (length, width, steps, BATCH, FEATURES, WARM)
    words = [str(python), "-c", TORCH_SIDE, cell, *map(str, sizes)]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout))


def seconds(found: dict[str, Any]) -> float:
    return float(found["compile"] + STEPS * found["step"])


def case(sides: list[str], python: Path | None, rounds: int, words: tuple[Any, ...]) -> dict[str, dict[str, Any]]:
    """The median round of every side."""
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            if side == "torch" and python is not None:
                found[side].append(torch_side(python, *words))
            else:
                found[side].append(measured(__spec__.name, "--once", side, *map(str, words)))
    return {side: sorted(runs, key=seconds)[(len(runs) - 1) // 2] for side, runs in found.items()}


def mean(ratios: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, ratios)))


def summary(cell: str, pairs: list[tuple[float, float]]) -> str:
    """Geometric means over the cases of a cell; a pair is how much faster ours is than Keras, than PyTorch (or nan)."""
    by_keras, by_torch = (list(ratios) for ratios in zip(*pairs, strict=True))
    torch = "" if math.isnan(by_torch[0]) else f"; {mean(by_torch):.2f} times as fast as PyTorch"
    least = f"at the least {min(by_keras):.2f} (goal {LEAST})"
    return f"{cell}: {mean(by_keras):.2f} times as fast as Keras (goal {GOALS[cell]}), {least}{torch}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default=",".join(CELLS))
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS)))
    parser.add_argument("--widths", default=",".join(map(str, WIDTHS)))
    parser.add_argument("--steps", type=int, default=304, help="timed, in sixteens (default: 304)")
    parser.add_argument("--rounds", type=int, default=1, help="of which the median counts (default: 1)")
    parser.add_argument("--once", nargs=5, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):  # inherited by all that is measured
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if chosen.once:
        os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1", OMP_NUM_THREADS="1")
        side, cell, *numbers = chosen.once
        print(json.dumps((our_kernel if side == "ours" else keras_defaults)(cell, *map(int, numbers))))
        return
    python = torch_python()
    sides = ["ours", "keras", *(["torch"] if python else [])]
    print(f"{setting('tensorflow', 'keras')}{f', {TORCH}' if python else ''}\n")
    print(
        "| cell | length | width | kernel | ms per step: ours | Keras | PyTorch | compiling, s: ours | Keras "
        "| faster than Keras | than PyTorch |\n|" + "---|" * 11
    )
    ratios: dict[str, list[tuple[float, float]]] = {}
    for cell in chosen.cells.split(","):
        for length in map(int, chosen.lengths.split(",")):
            for width in map(int, chosen.widths.split(",")):
                found = case(sides, python, chosen.rounds, (cell, length, width, chosen.steps))
                ours, keras, torch = (found.get(side) for side in ("ours", "keras", "torch"))
                if ours is None or keras is None:
                    raise SystemExit("a side is missing")
                against = seconds(keras) / seconds(ours), seconds(torch) / seconds(ours) if torch else math.nan
                ratios.setdefault(cell, []).append(against)
                steps = " | ".join(f"{1000 * one['step']:.2f}" if one else "-" for one in (ours, keras, torch))
                compiling = f"{ours['compile']:.1f} | {keras['compile']:.1f}"
                print(
                    f"| {cell} | {length} | {width} | {ours['kernel']} | {steps} | {compiling} "
                    f"| {against[0]:.2f} | {f'{against[1]:.2f}' if torch else '-'} |",
                    flush=True,
                )
    for cell, pairs in ratios.items():
        print(f"\n{summary(cell, pairs)}", end="")
    print()


if __name__ == "__main__":
    main()
