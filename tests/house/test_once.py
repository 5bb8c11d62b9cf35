"""The copies of searches that the tests of a process share."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from support.once import copy_store

OTHER = """
import sqlite3
database = sqlite3.connect("mlflow.db")
database.execute("INSERT INTO runs VALUES (2)")
database.commit()
database.close()
"""


def test_a_copy_leaves_the_database_to_the_process_that_has_it_open(tmp_path: Path) -> None:
    """A command came after the copy, and the test went on with the log of writes that the command had removed."""
    folder, copy = tmp_path / "store", tmp_path / "copy"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE runs (number)")
        database.execute("INSERT INTO runs VALUES (1)")
        database.commit()
        assert copy_store(folder, copy) == copy
        subprocess.run([sys.executable, "-c", OTHER], cwd=folder, check=True)
        assert (folder / "mlflow.db-wal").exists(), "this process goes on with it"
        database.execute("INSERT INTO runs VALUES (3)")
        database.commit()
        assert database.execute("SELECT number FROM runs").fetchall() == [(1,), (2,), (3,)]
    with closing(sqlite3.connect(copy / "mlflow.db")) as database:
        assert database.execute("SELECT number FROM runs").fetchall() == [(1,)]
