"""A store that fails or refuses at the beginning or the end of a search: what was trained stays, and is sent later."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock
from support.searching import IMPATIENT, Searched, begin, finished, processes_in, run, wait_until
from support.servers import WORDS, curves, ended, in_journals

from experiments.config.folders import SearchFolder, lock, try_acquire
from tracking import store
from tracking.store import connect

# Its run is made, but it gets no answer. When it asks once more at the end, its experiment has been deleted.
REFUSED_AT_LAST = """
import sys
import threading
import tracking.record
from experiments.cli.main import main
from experiments.launcher.opening import Opening
from tracking.errors import Unreachable

opened, tries = Opening._open, []


def open_in(self, client):
    tries.append(1)
    if len(tries) == 1:
        opened(self, client)
    if threading.current_thread() is not threading.main_thread():
        raise Unreachable("no answer")
    client.delete_experiment(client.get_experiment_by_name("adding").experiment_id)
    return opened(self, client)


Opening._open = open_in
tracking.record.FILE_SECONDS = 10.0
sys.exit(main(sys.argv[1:]))
"""


# A defect in what sends the trials. The thread of the record meets it while the search trains.
LATER_DEFECT = """
import sys
from experiments.cli.main import main
from tracking.runs import Projection


def sync(self, **options):
    raise KeyError("a defect")


Projection.sync = sync
sys.exit(main(sys.argv[1:]))
"""


def test_a_defect_in_the_record_shows_its_traceback_when_all_is_trained(tmp_path: Path) -> None:
    done = run(*WORDS[:-1], "--trials", "1", cwd=tmp_path, code=LATER_DEFECT)
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and lines[-1] == "KeyError: 'a defect'"
    assert any(line.startswith("this is a defect of recurrent-search") for line in lines)
    assert "store failed" not in done.stdout and not processes_in(tmp_path), "its workers have ended"
    assert ended(tmp_path, 0)
    synced = run("sync", "away", cwd=tmp_path)
    assert (synced.returncode, synced.stderr) == (0, "")
    assert curves(Searched(tmp_path, "away", done)) == in_journals(tmp_path, 1)


def test_a_search_that_is_refused_at_its_end_keeps_what_it_has_trained(tmp_path: Path) -> None:
    connect(f"sqlite:///{tmp_path}/mlflow.db", create=True)  # on a busy machine that alone takes longer than its wait
    done = run(*WORDS[:-1], "--trials", "1", cwd=tmp_path, code=REFUSED_AT_LAST)
    assert done.returncode == 1
    assert "MLflow is not told all of this search: task: expected an experiment 'adding' in use, got a " in done.stdout
    assert ended(tmp_path, 0) and (tmp_path / "searches" / "away" / "trials" / "0000" / "model.keras").exists()
    client = connect(f"sqlite:///{tmp_path}/mlflow.db")
    client.restore_experiment(client.get_experiment_by_name("adding").experiment_id)
    synced = run("sync", "away", cwd=tmp_path)
    assert (synced.returncode, synced.stderr) == (0, "")
    assert curves(Searched(tmp_path, "away", done)) == in_journals(tmp_path, 1)


def test_a_store_that_cannot_be_written_refuses_a_new_search(tmp_path: Path) -> None:
    connect(f"sqlite:///{tmp_path}/mlflow.db", create=True)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(FAIL, 'disk is full'); END")
    done = run(*WORDS[:-1], "--trials", "1", cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "disk is full" in done.stderr and not (tmp_path / "searches").exists()
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("DROP TRIGGER full")
    again = run(*WORDS, "--trials", "1", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "")


# A file's server takes no models.
NO_MODELS = """
import sys
import tracking.models
from experiments.cli.main import main


def refuses(*words):
    raise ModuleNotFoundError("No module named 'boto3'")


tracking.models.log_models = refuses
sys.exit(main(sys.argv[1:]))
"""


def test_a_search_whose_model_is_not_logged_does_not_end_well(tmp_path: Path) -> None:
    """Who says `recurrent search … && recurrent export …` must not get another model, or none."""
    done = run(*WORDS[:-1], "--trials", "1", cwd=tmp_path, code=NO_MODELS)
    assert (done.returncode, done.stderr) == (1, "")
    assert "the best model: ModuleNotFoundError: No module named 'boto3'" in done.stdout
    assert "Best by cell" in done.stdout
    synced = run("sync", "away", cwd=tmp_path)
    assert (synced.returncode, synced.stderr) == (0, "")


def test_a_process_that_stops_while_it_makes_the_database_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAKING_SECONDS", 0.1)
    held = tmp_path / "mlflow.db.lock"
    with FileLock(held), pytest.raises(store.Unreachable, match=f"another process holds {held}$"):
        connect(f"sqlite:///{tmp_path}/mlflow.db", create=True)


@pytest.mark.slow  # on a busy machine the store's end takes longer than the wait that is tested
@pytest.mark.parametrize("resumed", [False, True])
def test_a_file_that_somebody_else_writes_is_waited_for(tmp_path: Path, resumed: bool) -> None:
    """Longer than SQLite waits: the search says so, and trains."""
    if resumed:
        assert run(*WORDS, "--trials", "1", cwd=tmp_path).returncode == 0
    else:
        connect(f"sqlite:///{tmp_path}/mlflow.db", create=True).create_experiment("adding")
    with closing(sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        patient = IMPATIENT.replace("= 1.0", "= 15.0")  # SQLite waits for seconds, and at the end it must be able to
        process = begin(*WORDS, "--trials", "2", cwd=tmp_path, code=patient)
        wait_until(lambda: ended(tmp_path, 1), process)
        other.execute("ROLLBACK")
        done = finished(process)
    assert (done.returncode, done.stderr) == (0, "")
    assert "; the search goes on without its store, which is asked again" in done.stdout.replace("\n", " ")
    searched = Searched(tmp_path, "away", done)
    assert searched.parent.info.status == "FINISHED"
    assert curves(searched) == in_journals(tmp_path, 2) and len(curves(searched)) == 2


DEFECT = """
import sys
import time
from experiments.cli.main import main
from experiments.launcher.opening import Opening


def record(self):
    while not list(self.folder.path.glob("workers/*.lock")):
        time.sleep(0.01)
    raise KeyError("a defect")


Opening.record = record
sys.exit(main(sys.argv[1:]))
"""


def test_a_defect_of_ours_ends_the_workers_and_keeps_the_folder(tmp_path: Path) -> None:
    done = run(*WORDS[:-1], "--trials", "1", cwd=tmp_path, code=DEFECT)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith("this is a defect of recurrent-search")
    assert done.stderr.rstrip().endswith("KeyError: 'a defect'")
    folder = SearchFolder(tmp_path / "searches" / "away")
    assert folder.spec.exists() and try_acquire(folder.launcher_lock)
    assert [try_acquire(lock(path)) for path in folder.path.glob("workers/*.lock")] == [True], "its worker has ended"
