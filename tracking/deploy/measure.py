"""Runs an exported model in its own runtime, in a process that has nothing else; see `verify.answered`.

    python -I measure.py FOLDER FORMAT BLOCKED,… X.npy OUT.npy

The modules that are blocked cannot be imported: this project, and the libraries that the runtime does not need. Writes
the outputs for X. Prints one line of JSON: the seconds of a sequence in batches of 1 and of 64, and the most
memory that they took.
"""

import json
import resource
import runpy
import sys
import time
from pathlib import Path

import numpy as np

BATCHES = (1, 64)
SECONDS = 0.4  # each batch size is timed for about so long
STEPS = 512  # a longer sequence is cut for the times


def main() -> None:
    folder, name, blocked, x_file, out_file = sys.argv[1:]
    for module in filter(None, blocked.split(",")):
        sys.modules[module] = None  # type: ignore[assignment]  # an import of it fails
    if "tensorflow" not in blocked:
        _one_thread()
    script = runpy.run_path(str(Path(folder) / "predict.py"))
    read = script["FURTHER"].get(name) or script["RUNTIMES"][name][-1]
    model = read(Path(folder))
    x = np.load(x_file)
    seconds = {batch: _seconds(model, np.resize(x[:, :STEPS], (batch, *x[:, :STEPS].shape[1:]))) for batch in BATCHES}
    peak = _peak()
    parts = [model(x[start : start + BATCHES[-1]]) for start in range(0, len(x), BATCHES[-1])]
    np.save(out_file, np.concatenate(parts))
    print(json.dumps({"seconds": seconds, "peak_bytes": peak, "steps": min(STEPS, x.shape[1])}))


def _one_thread() -> None:
    """Lets TensorFlow compute with one thread, as predict.py lets the other runtimes."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _peak() -> int:
    """The most memory that this program has had, in bytes.

    Linux keeps the peak of the process before exec in ru_maxrss, and that of the program alone in VmHWM.
    """
    file = Path("/proc/self/status")
    if file.is_file():
        line = next(line for line in file.read_text().splitlines() if line.startswith("VmHWM"))
        return 1024 * int(line.split()[1])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _seconds(model, x: np.ndarray) -> float:  # type: ignore[no-untyped-def]
    """The median time of a call for each sequence."""
    model(x)
    times: list[float] = []
    while sum(times) < SECONDS and len(times) < 100:
        began = time.perf_counter()
        model(x)
        times.append(time.perf_counter() - began)
    return float(np.median(times)) / len(x)


if __name__ == "__main__":
    main()
