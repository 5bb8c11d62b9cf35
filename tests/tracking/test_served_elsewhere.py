"""The registered models in an environment that has only what their requirements.txt names: MLflow's own doors."""

import json
import os
import re
import subprocess
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from socket import socket
from typing import Any

import pytest
from support.installed import only_with
from support.searching import Recurrent, Searched

pytestmark = pytest.mark.slow
START_SECONDS = 180  # until MLflow's server answers
LOADS = """
import json, sys
import mlflow, pandas

mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
column = model.metadata.signature.inputs.input_names()[0]
rows = json.loads(sys.argv[3])
frame = model.predict(pandas.DataFrame({column: rows}), params={"seed": 1} if column == "prompt" else None)
listed = model.predict([{column: row} for row in rows], params={"seed": 1} if column == "prompt" else None)
assert "experiments" not in sys.modules and "tracking" not in sys.modules
print(json.dumps([frame, listed], default=lambda value: value.tolist()))
"""


@pytest.fixture(scope="module")
def python(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return only_with(exported / "mlflow" / "requirements.txt", tmp_path_factory.mktemp("served"))


@pytest.mark.parametrize(
    ("which", "column", "rows"),
    [("searched", "sequence", [[[0.5, 0], [0.25, 1], [1, 1]], [[1.0, 1.0]]]), ("language", "prompt", ["the ", "a"])],
)
def test_a_registered_model_needs_nothing_of_this_project(
    request: pytest.FixtureRequest, recurrent: Recurrent, python: str, which: str, column: str, rows: list[Any]
) -> None:
    search: Searched = request.getfixturevalue(which)
    done = recurrent("register", search.name, "--as", f"{which}-elsewhere", cwd=search.folder)
    assert done.returncode == 0, done.stderr
    model, folder = f"models:/{which}-elsewhere@champion", Path(python).parent
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PYTHONSAFEPATH": "1"}
    words = [python, "-c", LOADS, search.uri, model, json.dumps(rows)]
    loaded = subprocess.run(words, cwd=folder, env=clean, capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr[-2000:]
    frame, listed = json.loads(loaded.stdout.splitlines()[-1])
    assert len(frame) == 2 and frame == listed
    served = asked(python, model, search.uri, clean, {"dataframe_records": [{column: row} for row in rows]})
    if column == "sequence":
        assert [row[0] for row in served] == pytest.approx([row[0] for row in frame], rel=1e-5)
    else:
        assert all(isinstance(text, str) and text for text in served)


def test_the_code_on_the_page_runs(exported: Path, python: str) -> None:
    page = (exported / "README.md").read_text("utf-8")
    (code,) = re.findall(r"## In MLflow\n.*?```python\n(.*?)```", page, re.DOTALL)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"PYTHONSAFEPATH": "1"}
    done = subprocess.run([python, "-c", code], cwd=exported, env=clean, capture_output=True, text=True)
    assert done.returncode == 0 and re.search(r"\d\.\d+", done.stdout), done.stderr[-2000:]


def asked(python: str, model: str, uri: str, environment: dict[str, str], body: dict[str, Any]) -> list[Any]:
    """What `mlflow models serve` answers."""
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = os.pathsep.join([str(Path(python).parent), environment["PATH"]])
    words = [python, "-m", "mlflow", "models", "serve", "-m", model, "--env-manager", "local", "--port", str(port)]
    server = subprocess.Popen(
        words, cwd=Path(python).parent, env={**environment, "PATH": path, "MLFLOW_TRACKING_URI": uri}
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and server.poll() is None:
            try:
                headers = {"Content-Type": "application/json"}
                data = json.dumps(body).encode()
                asking = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", data, headers)
                with urllib.request.urlopen(asking, timeout=60) as reply:
                    return list(json.loads(reply.read())["predictions"])
            except ConnectionError:
                time.sleep(0.5)
            except urllib.error.URLError as error:
                assert isinstance(error.reason, ConnectionError), error
                time.sleep(0.5)
        raise AssertionError(f"no answer; the server ended with {server.poll()}")
    finally:
        server.terminate()
        server.wait()
