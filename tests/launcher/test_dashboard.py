"""Optuna's dashboard on the study of a search: its own requests, as its page makes them."""

import json
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.searching import Recurrent

from experiments.config.folders import SearchFolder
from experiments.launcher.dashboard import HOST, dashboard


@pytest.fixture
def folder(old: Path) -> SearchFolder:
    return SearchFolder(old / "searches" / "old")


@pytest.fixture
def url(folder: SearchFolder) -> Iterator[str]:
    with dashboard(folder, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()


def asked(url: str, method: str = "GET") -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, method=method)) as reply:
        return json.loads(reply.read())


def test_the_study_has_the_names_of_the_search(url: str, folder: SearchFolder) -> None:
    (study,) = asked(f"{url}/api/studies")["study_summaries"]
    assert study["study_name"] == "old"
    found = asked(f"{url}/api/studies/{study['study_id']}")
    assert found["objective_names"] == [json.loads(folder.task.read_text("utf-8"))["metric"]]
    ends = [trial.journal.events()[-1] for trial in folder.trials()]
    scores = [end["score"] for end in ends if end.get("outcome") == "completed"]
    shown = [trial["values"] for trial in found["trials"] if trial["state"] == "Complete"]
    assert scores and shown == [[pytest.approx(score)] for score in scores]


def test_nobody_changes_the_study_from_the_dashboard(url: str, folder: SearchFolder) -> None:
    before = folder.study.read_bytes()
    with pytest.raises(urllib.error.HTTPError, match="500"):
        asked(f"{url}/api/studies/0", "DELETE")
    assert folder.study.read_bytes() == before
    assert len(asked(f"{url}/api/studies/0")["trials"]) == len(folder.trials())


def test_an_unknown_search_is_a_line(old: Path, recurrent: Recurrent) -> None:
    done = recurrent("ui", "--optuna", "odd", cwd=old)
    line = "recurrent ui: --optuna: expected a search in searches/ (old), got 'odd'; did you mean 'old'?\n"
    assert (done.returncode, done.stderr) == (2, line)


def test_a_dashboard_that_is_not_installed_is_a_line(
    old: Path, recurrent: Recurrent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    done = recurrent("ui", "--optuna", "old", cwd=old)
    assert done.returncode == 2 and done.stderr.startswith("recurrent ui: --optuna: expected the package")
    assert "pip install 'recurrent-search[optuna-dashboard]'" in done.stderr
