"""What the record of a search of many trials costs: its launcher, MLflow on SQLite, and MLflow on PostgreSQL.

    python -m experiments.benchmarks.record_scale                             up to 100,000 trials; takes an hour
    python -m experiments.benchmarks.record_scale --trials 1000 --sides "stand-in, all;stand-in, best"

Nothing is trained: journals of trials of ten epochs, each with its horizon, lie there and are sent to a store. The
stand-in is a client of MLflow that answers at once. What is left is the launcher's own work. The stores are real:
SQLite, and `mlflow server` on a PostgreSQL server that is started for this, on this machine. Sides named `best` are
sent with `--record best:1000`. The stand-in is timed by the processor's clock, stores by the clock on the wall.

send       milliseconds until a trial has been sent to a store that has none, and messages and points of each
adopt      seconds until a launcher that starts has found all runs of the search
look       seconds of its first look at all journals; all trials have been sent
tick       milliseconds of a later look, when nothing is new
results    seconds in which all results are read
report     seconds in which the page of the report is made, results included
memory     MB of the process that adopts and looks, and of the one that makes the report
size       MB of the database
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.benchmarks.postgresql import database_size, missing, mlflow_server, postgresql
from experiments.benchmarks.rounds import Run, call_in_process, make_parser, print_head, print_row, setting

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as MlflowRun

    from tracking.runs import Projection

KINDS, RECORDS = ("stand-in", "sqlite", "postgresql"), {"all": "all", "best": "best:1000"}
SIDES = tuple(f"{kind}, {record}" for kind in KINDS for record in RECORDS)
POINTS, STORED = "1000,10000,100000", 10_000
EPOCHS, TICKS = 10, 20
FLOORS = {"none": 1.0}
LAUNCHER = ("send", "messages", "points", "adopt", "look", "tick", "memory")
COLUMNS = (*LAUNCHER, "results", "report", "report memory", "size")
Facts = dict[str, Any]


def facts(trials: int) -> Facts:
    """The spec of the search, as its run in MLflow has it."""
    from experiments.benchmarks.stand_in_store import CELLS
    from experiments.config.spec import Spec

    about: Facts = {"trials": trials, "epochs": EPOCHS, "digest": "0" * 64, "id": "1", "oracle": "random"}
    spec = Spec(name="s", task="adding", options={}, cells=list(CELLS), **about).to_json()
    return {**spec, "versions": {}, "metric": "mse", "direction": "min"}


def journals(folder: str, trials: int) -> Run:
    """Writes the journals of trials, without those that are there."""
    from experiments.benchmarks.stand_in_store import write

    for number in range(trials):
        if not (Path(folder) / f"{number:04d}").exists():
            write(Path(folder), number, EPOCHS)
    return {}


def projection(client: "MlflowClient", parent: "MlflowRun", folder: str, record: str) -> "Projection":
    from tracking.runs import Projection

    return Projection(client, parent, Path(folder), "mse", "min", "session", FLOORS, None, record)


def stand_in(folder: str, record: str, trials: int, known: bool) -> Run:
    """Sends the trials to the stand-in, which has them already or has none."""
    from mlflow.entities import Run as MlflowRun
    from mlflow.entities import RunData, RunInfo, RunTag

    from experiments.benchmarks.stand_in_store import START, Client

    tags = [RunTag(f"recurrent.{name}", text) for name, text in {"kind": "search", "search_id": "s"}.items()]
    info = RunInfo("parent", "1", "us", "RUNNING", START, None, "active")
    parent = MlflowRun(info, RunData([], [], [*tags, RunTag("recurrent.spec_id", "1")]))
    client: Any = Client(parent, trials if known else 0, EPOCHS, record)
    found = resumed(client, parent, folder, record, time.process_time)
    more = {"messages": client.calls / trials, "points": client.points / trials}
    return found if known else {"send": 1000 * found["look"] / trials, **more}


def seconds(what: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    what()
    return clock() - began


def resumed(
    client: "MlflowClient",
    parent: "MlflowRun",
    folder: str,
    record: str,
    clock: Callable[[], float] = time.perf_counter,
) -> Run:
    """What a launcher does that starts, and the memory that it needs more than before."""
    import psutil

    before, made = psutil.Process().memory_info().rss, []
    adopt = seconds(lambda: made.append(projection(client, parent, folder, record)), clock)
    look = seconds(made[0].sync, clock)

    def ticks() -> None:
        for _ in range(TICKS):
            made[0].sync()

    return {
        "adopt": adopt,
        "look": look,
        "tick": 1000 * seconds(ticks, clock) / TICKS,
        "memory": peak() - before / 2**20,
    }


def peak() -> float:
    """The most memory that this process has needed, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def opened(uri: str, trials: int) -> tuple["MlflowClient", "MlflowRun"]:
    from tracking.searches import open_search
    from tracking.store import artifacts, connect

    client = connect(uri, create=True)
    return client, open_search(client, "s", "adding", artifacts(uri, "adding"), facts(trials), FLOORS)


def filled(uri: str, folder: str, record: str, trials: int) -> Run:
    """Sends all trials to an empty store, as `recurrent sync` does."""
    from tracking.store import database, tune

    made = projection(*opened(uri, trials), folder, record)
    found = {"send": 1000 * seconds(lambda: made.sync(over=True)) / trials}
    if file := database(uri):
        tune(file)
    return found


def adopted(uri: str, folder: str, record: str, trials: int) -> Run:
    return resumed(*opened(uri, trials), folder, record)


def read(uri: str, page: bool) -> Run:
    """Reads all results of a search, or makes its report."""
    from tracking.results import results
    from tracking.searches import existing_search

    client, parent = existing_search("s", uri)
    if not page:
        return {"results": seconds(lambda: results(client, parent))}
    from tracking.report import page as pages
    from tracking.report.gather import gather

    return {"report": seconds(lambda: pages.page(gather(client, parent))), "report memory": peak()}


@contextmanager
def store(kind: str) -> Iterator[tuple[str, Callable[[], float]]]:
    """The URI of an empty store, and a function that says how many MB its database has."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            yield f"sqlite:///{folder}/mlflow.db", lambda: _file_size(Path(folder) / "mlflow.db")
        else:
            with postgresql() as database, mlflow_server(database, Path(folder)) as url:
                yield url, lambda: database_size(database)


def _file_size(file: Path) -> float:
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file.stat().st_size / 2**20


def measure(side: str, folder: str, trials: int) -> Run:
    kind, name = side.split(", ")
    record = RECORDS[name]
    if kind == "stand-in":
        found = call_in_process(stand_in, folder, record, trials, False)
        return found | call_in_process(stand_in, folder, record, trials, True)
    with store(kind) as (uri, size):
        found = call_in_process(filled, uri, folder, record, trials)
        found |= call_in_process(adopted, uri, folder, record, trials)
        for page in (False, True):
            found |= call_in_process(read, uri, page)
        return found | {"size": size()}


def show(side: str, trials: int, found: Run) -> None:
    texts = {name: f"{value:.2f}" if value < 10 else f"{value:.0f}" for name, value in found.items()}
    print_row(side, f"{trials:,}", *(texts.get(name, "-") for name in COLUMNS))


def main() -> None:
    parser = make_parser(__doc__, sides=SIDES)
    text = f"trials that are sent to the stand-in, in this order (default: {POINTS})"
    parser.add_argument("--trials", default=POINTS, metavar="N,N", help=text)
    text = f"trials that are sent to SQLite and PostgreSQL (default: {STORED})"
    parser.add_argument("--stored", type=int, default=STORED, metavar="N", help=text)
    chosen = parser.parse_args()
    points = [int(part) for part in chosen.trials.split(",")]
    sides = [side for side in chosen.sides if not (side.startswith("postgresql") and missing())]
    if len(sides) < len(chosen.sides):
        print(f"PostgreSQL is left out: {missing()}\n")
    print(f"{setting('mlflow', 'sqlalchemy')}\n")
    print_head("side", "trials", *COLUMNS)
    for trials in dict.fromkeys([*points, chosen.stored]):
        with tempfile.TemporaryDirectory() as folder:
            call_in_process(journals, folder, trials)
            for side in sides:
                if trials in (points if side.startswith("stand-in") else [chosen.stored]):
                    show(side, trials, measure(side, folder, trials))


if __name__ == "__main__":
    main()
