"""Stores with more experiments, searches and models than MLflow shows at once. Rows are copied, which takes no time."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

MANY = 1_100  # MLflow's pages have 1,000 experiments or runs
LATER = 10**6  # milliseconds


def add_experiments(store: Path, name: str) -> None:
    """Empty experiments that are younger than the one named."""
    with closing(sqlite3.connect(store)) as database, database:
        ((number, born),) = database.execute(
            "SELECT experiment_id, creation_time FROM experiments WHERE name = ?", (name,)
        )
        for one in range(MANY):
            changed = {"experiment_id": 1_000 + one, "name": f"other-{one}", "creation_time": born + LATER}
            _copy(database, "experiments", ("experiment_id", number), changed)


def add_searches(store: Path, run_id: str, names: tuple[str, ...]) -> None:
    """Younger copies of the run of a search. Each has another name, in the tags of these names."""
    with closing(sqlite3.connect(store)) as database, database:
        ((born,),) = database.execute("SELECT start_time FROM runs WHERE run_uuid = ?", (run_id,))
        for one in range(MANY):
            new = f"{one:032d}"
            _copy(database, "runs", ("run_uuid", run_id), {"run_uuid": new, "start_time": born + LATER + one})
            _copy(database, "tags", ("run_uuid", run_id), {"run_uuid": new})
            for tag in names:
                renamed = (f"other-{one}", new, tag)
                database.execute("UPDATE tags SET value = ? WHERE run_uuid = ? AND key = ?", renamed)


def add_models(store: Path, model_id: str, tag: str, value: str) -> None:
    """Younger copies of a logged model, whose tag has another value."""
    with closing(sqlite3.connect(store)) as database, database:
        find = "SELECT creation_timestamp_ms FROM logged_models WHERE model_id = ?"
        ((born,),) = database.execute(find, (model_id,))
        for one in range(MANY):
            new, time = f"m-{one:032d}", born + LATER + one
            changed = {"model_id": new, "creation_timestamp_ms": time}
            _copy(database, "logged_models", ("model_id", model_id), changed)
            _copy(database, "logged_model_tags", ("model_id", model_id), {"model_id": new})
            other = "UPDATE logged_model_tags SET tag_value = ? WHERE model_id = ? AND tag_key = ?"
            database.execute(other, (value, new, tag))


def _copy(database: sqlite3.Connection, table: str, of: tuple[str, Any], changed: dict[str, Any]) -> None:
    """Copies the rows whose column `of[0]` is `of[1]`, with some columns changed."""
    rows = database.execute(f"SELECT * FROM {table} WHERE {of[0]} = ?", (of[1],))
    columns = [column[0] for column in rows.description]
    for row in rows.fetchall():
        new = {**dict(zip(columns, row, strict=True)), **changed}
        database.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(new))})", tuple(new.values()))
