"""A search with the defaults of every task: it ends, and its trials are in MLflow."""

import time
from pathlib import Path

import pytest
from support.searching import Searched, run

from experiments.tasks.loading import find


@pytest.mark.slow
@pytest.mark.parametrize("name", find.names())
def test_a_search_with_the_defaults(name: str, tmp_path: Path) -> None:
    began = time.perf_counter()
    done = run("search", name, "--trials", "2", "--epochs", "1", "--workers", "2", "--name", "t", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    print(f"{name}: {time.perf_counter() - began:.0f} s")
    metric = find.task_class(name)().metric
    for trial in Searched(tmp_path, "t", done).trials():
        assert trial.info.status == "FINISHED"
        assert f"val_{metric}" in trial.data.metrics and f"best/{metric}" in trial.data.metrics
        assert sum(key.startswith("floor/") for key in trial.data.metrics) >= 2
