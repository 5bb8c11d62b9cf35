"""A PostgreSQL server on this machine in a temporary folder, and `mlflow server` on it.

Debian has the server: `apt-get install postgresql`. It does not run as root, so that root starts it as another user.
"""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tracking.server import free_port, running

FOLDERS = "/usr/lib/postgresql/*/bin"  # where Debian has the programs of each version
NAME = "recurrent"  # of the user and of the database
USERS = ("postgres", "nobody")  # as one of whom root starts the server


def programs() -> Path | None:
    """The folder with the programs of the newest version; None if there is none."""
    found = [folder for folder in Path("/").glob(FOLDERS.lstrip("/")) if (folder / "initdb").exists()]
    return max(found, key=lambda folder: float(folder.parent.name), default=None)


def missing() -> str:
    """What is missing to run it, in words; "" if nothing is."""
    if programs() is None:
        return f"PostgreSQL is not installed: no {FOLDERS}/initdb"
    return "" if find_spec("psycopg2") else "psycopg2 is not installed: pip install psycopg2-binary"


@contextmanager
def postgresql() -> Iterator[str]:
    """The URI of an empty database at a free port of 127.0.0.1. The server ends with the block."""
    place = programs()
    if place is None:
        raise SystemExit(missing())
    folder, who = Path(tempfile.mkdtemp(prefix="postgresql-")), _user()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])

    def call(program: str, *words: str) -> None:
        subprocess.run([place / program, *words], cwd=folder, check=True, stdout=subprocess.DEVNULL, **who)

    try:
        if who:
            shutil.chown(folder, who["user"])
        call("initdb", "-D", f"{folder}/data", "-U", NAME, "--auth", "trust")
        # `trust` lets every user of this machine in, so it is for tests. Sockets lie in the folder.
        options = f"-h 127.0.0.1 -p {port} -k {folder}"
        call("pg_ctl", "-D", f"{folder}/data", "-l", f"{folder}/log", "-w", "-o", options, "start")
        try:
            call("createdb", "-h", "127.0.0.1", "-p", port, "-U", NAME, NAME)
            yield f"postgresql://{NAME}@127.0.0.1:{port}/{NAME}"
        finally:
            call("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> dict[str, Any]:
    """As whom the server runs, as arguments of `subprocess.run`; none if this process is not root."""
    if os.getuid() != 0:
        return {}
    for name in USERS:
        with suppress(KeyError):
            return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
    raise SystemExit(f"PostgreSQL: expected a user {' or '.join(USERS)}, got none")


def database_size(uri: str) -> float:
    """MB of the database at a URI."""
    query = f"SELECT pg_database_size('{NAME}')"
    place = programs() or Path()
    done = subprocess.run([place / "psql", uri, "-tAc", query], check=True, capture_output=True, text=True)
    return int(done.stdout) / 2**20


@contextmanager
def mlflow_server(database: str, folder: Path) -> Iterator[str]:
    """The address of `mlflow server` on a database, with its artifacts and its log in a folder."""
    port = free_port(None)
    # SQLAlchemy 2.1 takes psycopg 3 for an address that names no driver.
    database = database.replace("postgresql://", "postgresql+psycopg2://", 1)
    words = ["--workers", "1", "--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", database]
    command = [sys.executable, "-m", "mlflow", "server", *words, "--artifacts-destination", f"{folder}/mlartifacts"]
    with running(command, port, folder / "mlflow-server.log") as server:
        yield server.url
