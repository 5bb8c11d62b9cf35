"""The PyTorch side of `kernels`, in an environment with PyTorch that lies in the cache folder."""

import json
import subprocess
import sys
import venv
from pathlib import Path

from experiments.benchmarks.rounds import Run
from experiments.system.cache_folder import cache_folder
from experiments.training.kernel_speed import BATCH, FEATURES, WARM

TORCH = "torch==2.13.0"
CHECK = f"import torch; raise SystemExit(torch.__version__.split('+')[0] != '{TORCH.split('==')[1]}')"
SCRIPT = """
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
    """The interpreter of an environment with PyTorch, made if it is missing; None if it cannot be made."""
    place = cache_folder("torch")
    if place is None:
        return None
    python = place / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", CHECK], capture_output=True).returncode:
        print(f"installing {TORCH} into {place} ...", file=sys.stderr)
        venv.create(place, with_pip=True, clear=True)
        if subprocess.run([python, "-m", "pip", "install", "-q", TORCH, "numpy"], capture_output=True).returncode:
            print(f"without PyTorch: pip could not install {TORCH}", file=sys.stderr)
            return None
    return python


def torch_steps(python: Path, cell: str, length: int, width: int, steps: int) -> Run:
    """Seconds of a step and of what PyTorch does only in the first steps."""
    sizes = (length, width, steps, BATCH, FEATURES, WARM)
    words = [str(python), "-c", SCRIPT, cell, *map(str, sizes)]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout))
