"""The line above a benchmark's table says where and with what it was measured."""

import re

from experiments.benchmarks.rounds import setting


def test_commit_machine_and_versions() -> None:
    found = (
        r"commit (unknown|[0-9a-f]{40}\+?), \d+ cores of \S.*, Python 3\.\d+\.\d+\S*, numpy [\d.]+, keras-tuner [\d.]+"
    )
    assert re.fullmatch(found, setting("numpy", "keras-tuner"))
