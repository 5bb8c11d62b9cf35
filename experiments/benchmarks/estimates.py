"""How good the estimates of a search's time are: what five searches say of it, and what they take.

    python -m experiments.benchmarks.estimates           about 25 minutes on two cores
    python -m experiments.benchmarks.estimates --sides single --trials 1

Each search runs alone, in an empty folder and in a terminal of its own, since only a terminal shows how long a search
still takes. What the terminal shows is read, with the time at which it was shown:

start      the middle of the range that is announced, divided by the seconds that the search took
quarter    the seconds that have gone by and those that are shown as left, divided by the seconds that the search took;
           when a quarter of these had gone by
"""

import fcntl
import math
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator

from experiments.benchmarks.rounds import Run, make_parser, medians, print_head, print_row, run_rounds, setting

SEARCHES = {
    "defaults": ("adding",),
    "grid": (
        *("char_lm", "--oracle", "grid", "--cells", "simple_rnn,lstm,gru", "--depth", "1:2", "--width", "64,128"),
        *("--learning-rate", "0.006", "--epochs", "2"),
    ),
    "single": ("adding", "-o", "length=100", "--workers", "1", "--cells", "gru", "--trials", "12"),
    "unpruned": (
        *("delayed_recall", "--pruner", "none", "--executions", "2", "--cells", "lstm,gru", "--width", "32:128"),
        *("--trials", "8", "--epochs", "8"),
    ),
    "hyperband": ("temporal_order", "--pruner", "hyperband", "--depth", "1:3", "--trials", "24", "--epochs", "20"),
}
TARGETS = {"start": 2.0, "quarter": 1.3}  # the largest ratio, either way
UNITS = {"s": 1, "min": 60, "h": 3600}  # as tracking/text.py writes them
ROWS, COLUMNS = 50, 200  # of the terminal, so wide that no line is wrapped

Shown = tuple[float, float]  # seconds since the start, and the seconds that are shown as left


def run(side: str, trials: int | None) -> Run:
    """Runs a search; returns its seconds, and the two ratios."""
    words = [*SEARCHES[side], "--no-horizon", *(["--trials", str(trials)] if trials else [])]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        chunks = [(moment - began, text) for moment, text in _in_terminal(words, folder)]
        took = time.perf_counter() - began
    text = "".join(text for _, text in chunks)
    ranges = re.findall(r"; about (\d+) to (\d+) (s|min|h)\b", text)
    shown = [
        (moment, seconds(left[-1])) for moment, text in chunks if (left := re.findall(r"about ([\w ]+?) left", text))
    ]
    if not ranges or not shown:
        raise SystemExit(text)
    low, high, unit = ranges[0]
    announced = math.sqrt(float(low) * float(high)) * UNITS[unit]
    return {"seconds": took, "announced": announced, "start": announced / took, "quarter": at_quarter(shown, took)}


def at_quarter(shown: list[Shown], took: float) -> float:
    """What the terminal said of the whole time when a quarter of it had gone by, divided by the time that it took."""
    moment, left = [one for one in shown if one[0] <= took / 4 or one == shown[0]][-1]
    return (moment + left) / took


def seconds(text: str) -> float:
    """The seconds of a duration, for example 200 of "3 min 20 s"."""
    return sum(float(count) * UNITS[unit] for count, unit in re.findall(r"(\d+) (s|min|h)\b", text))


def _in_terminal(words: list[str], folder: str) -> Iterator[tuple[float, str]]:
    """Runs `recurrent search` in a terminal; yields what it writes there, without colours, and when it does so."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments", "search", *words],
        cwd=folder,
        env={**environment, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    while chunk := _read(ours):
        yield time.perf_counter(), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", chunk.decode("utf-8", "replace"))
    os.close(ours)
    if process.wait():
        raise SystemExit(f"{' '.join(words)}: the search ended with exit code {process.returncode}")


def _read(terminal: int) -> bytes:
    """What comes next from a terminal; nothing after its last process has ended, which Linux tells as an error."""
    try:
        return os.read(terminal, 2**16)
    except OSError:
        return b""


def main() -> None:
    parser = make_parser(__doc__, rounds=1, sides=list(SEARCHES))
    parser.add_argument("--trials", type=int, help="trials of each search (default: those of each search)")
    chosen = parser.parse_args()
    found = medians(run_rounds(chosen.sides, chosen.rounds, lambda side, _: run(side, chosen.trials)))
    print(f"\n{setting('keras', 'tensorflow', 'mlflow')}")
    print(f"medians of {chosen.rounds}; targets: start {TARGETS['start']}, quarter {TARGETS['quarter']}, either way\n")
    print_head("search", "announced", "took", "start", "quarter")
    for side, numbers in found.items():
        times = (f"{numbers['announced']:.0f} s", f"{numbers['seconds']:.0f} s")
        print_row(side, *times, f"{numbers['start']:.2f}", f"{numbers['quarter']:.2f}")


if __name__ == "__main__":
    main()
