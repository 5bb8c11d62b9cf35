"""What a search on many machines costs its launcher: simulated seats ask one desk, without processes and without Ray.

    python -m experiments.benchmarks.cluster
    python -m experiments.benchmarks.cluster --seats 1,100 --seconds 5

A seat asks for a trial, sends the lines of its epochs, and ends it. Nothing is trained: after each line a seat waits as
long as an epoch would take. The desk, the study and the journals are those of a search, with every fsync. The cost of
Ray's own messages comes on top.

trials/s   ended trials per second of the clock
ms/line    processor time of the launcher for the line of an epoch
ms/trial   the same for a trial without these lines: it is asked for, it begins and it ends
ms/ask     the same for the question alone
ask, ms    from the moment a seat asks for a trial until it has one, half of the times and 19 of 20
"""

import heapq
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.benchmarks.rounds import make_parser, setting
from experiments.benchmarks.scale import declare, objective
from experiments.engines import Message
from experiments.engines.desk import Desk
from experiments.system.imports import import_keras

EPOCHS = 10
TRIAL_SECONDS = (0.005, 1.0)
SEATS = "1,8,100,1000"
MOST = 10**7  # trials of a search, more than any simulation ends


TRIAL, START, END_LINE, END = "trial", -1, EPOCHS, "end"  # what a seat sends; between are the lines of its epochs
LINE, OTHER = "line", "other"


@dataclass
class Seat:
    """A simulated worker.

    Args:
        number: of the seat.
        sends: TRIAL, END, or a line: START, the number of an epoch, or END_LINE.
        values: of its trial.
    """

    number: int
    sends: str | int = TRIAL
    values: dict[str, Any] = field(default_factory=dict)

    def kind(self) -> str:
        """What its message is: TRIAL, LINE of an epoch, or OTHER."""
        if self.sends in (TRIAL, END, START, END_LINE):
            return TRIAL if self.sends == TRIAL else OTHER
        return LINE

    def message(self) -> Message:
        if isinstance(self.sends, str):
            return {"ask": self.sends}
        score, event = objective(self.values), "epoch"
        fields: dict[str, Any] = {"execution": 0, "epoch": self.sends, "metrics": {"val_mse": score}}
        if self.sends == START:
            event, fields = "start", {"parameters": self.values, "session": "s", "worker": self.number, "key": "k"}
        elif self.sends == END_LINE:
            event, fields = "end", {"outcome": "completed", "score": score}
        return {"ask": "commit", "event": event, "fields": fields, "files": {}}

    def take(self, answer: Any) -> bool:
        """Goes on to its next message; returns True if it has to train before that."""
        if self.sends == TRIAL:
            self.sends, self.values = START, answer["values"]
        elif self.sends in (END_LINE, END):
            self.sends = END if self.sends == END_LINE else TRIAL
        else:
            self.sends = int(self.sends) + 1
        return isinstance(self.sends, int) and self.sends not in (START, END_LINE)


class Simulation:
    """Seats that ask a desk.

    Args:
        desk: answers them.
        seats: how many there are.
        trial_seconds: how long a training takes.
    """

    def __init__(self, desk: Desk, seats: int, trial_seconds: float) -> None:
        self.desk, self.epoch_seconds = desk, trial_seconds / EPOCHS
        self.due = [(0.0, number) for number in range(seats)]  # a heap: when a seat sends its next message
        self.seats = [Seat(number) for number in range(seats)]
        self.ended = self.lines = 0
        self.asks: list[float] = []  # seconds
        self.ask_time = self.line_time = self.other_time = self.seconds = 0.0

    def run(self, seconds: float) -> None:
        """Simulates for about `seconds`."""
        began = time.perf_counter()
        while (now := time.perf_counter() - began) < seconds:
            ready = []
            while self.due and self.due[0][0] <= now:
                ready.append(heapq.heappop(self.due))
            kinds = {number: self.seats[number].kind() for _, number in ready}
            for kind in dict.fromkeys(kinds.values()):
                self._answer([one for one in ready if kinds[one[1]] == kind], began, kind)
            if not ready:
                time.sleep(min(0.001, self.due[0][0] - now))
        self.seconds = time.perf_counter() - began

    def _answer(self, group: list[tuple[float, int]], began: float, kind: str) -> None:
        seats, before = [self.seats[number] for _, number in group], time.process_time()
        answers = self.desk.answer([(str(seat.number), seat.message()) for seat in seats])
        spent, now = time.process_time() - before, time.perf_counter() - began
        if kind == TRIAL:
            self.ask_time, self.asks = self.ask_time + spent, [*self.asks, *(now - due for due, _ in group)]
        elif kind == LINE:
            self.line_time += spent
            self.lines += len(group)
        else:
            self.other_time += spent
        for seat, answer in zip(seats, answers, strict=True):
            self.ended += seat.sends == END
            heapq.heappush(self.due, (now + self.epoch_seconds * seat.take(answer), seat.number))


def simulate(seats: int, trial_seconds: float, seconds: float) -> Simulation:
    import keras_tuner

    from experiments.config.folders import SearchFolder
    from experiments.strategy.oracle import StudyOracle

    with tempfile.TemporaryDirectory(dir=".") as place:
        folder = SearchFolder(Path(place))
        space = keras_tuner.HyperParameters()
        declare(space)
        what = keras_tuner.Objective("val_mse", "min"), "random", MOST, 0, space
        desk = Desk(folder, lambda: StudyOracle(folder, *what))
        desk.open()
        simulated = Simulation(desk, seats, trial_seconds)
        simulated.run(seconds)
        desk.close()
    return simulated


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--seats", default=SEATS, help=f"how many workers are simulated (default: {SEATS})")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each simulation (default: 20)")
    chosen = parser.parse_args()
    import_keras()
    print(setting("optuna", "keras-tuner"))
    print("seats  trial  trials/s  ms/line  ms/trial   ms/ask  ask, ms    19 of 20")
    for seconds in TRIAL_SECONDS:
        for seats in map(int, chosen.seats.split(",")):
            found = simulate(seats, seconds, chosen.seconds)
            asks = sorted(found.asks)
            trial = 1000 * (found.ask_time + found.other_time) / max(found.ended, 1)
            line = 1000 * found.line_time / max(found.lines, 1)
            ask = 1000 * found.ask_time / max(len(asks), 1)
            times = 1000 * statistics.median(asks), 1000 * asks[int(0.95 * (len(asks) - 1))]
            row = f"{seats:5,} {seconds * 1000:5.0f}ms {found.ended / found.seconds:9.1f} {line:8.3f}"
            print(f"{row} {trial:9.2f} {ask:8.2f} {times[0]:8.1f} {times[1]:11.1f}", flush=True)


if __name__ == "__main__":
    main()
