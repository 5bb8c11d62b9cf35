"""The script for SLURM starts a cluster and searches on it.

`srun` and `hostname` are stand-ins, as of a job of three nodes.
"""

import shutil
from pathlib import Path

import pytest
from support.ray_cluster import BIN, Network, closing, possible

from experiments.config.folders import SearchFolder

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(reason := possible()), reason=reason or "it is possible")]

SCRIPTS = Path(__file__).parents[2] / "docs" / "cluster"
# One process on the first node, or one on each.
SRUN = """#!/bin/bash
command=("$@")
while [[ ${command[0]} == --* ]]; do command=("${command[@]:1}"); done
if [[ " $* " == *" --nodes=1 "* ]]; then exec "${command[@]}"; fi
trap 'kill $(jobs -p)' EXIT
for node in 0 1 2; do SLURM_NODEID=$node "${command[@]}" & done
wait
"""
HOSTNAME = """#!/bin/bash
if [ "$*" = --ip-address ]; then echo "127.0.0.$((2 + ${SLURM_NODEID:-0})) fe80::1"; else echo node0; fi
"""
WORDS = ("adding", "-o", "length=5", "-o", "train=64", "-o", "val=16", "--cells", "gru", "--depth", "1", "--width", "4")
MORE = ("--trials", "4", "--epochs", "1", "--no-horizon", "--name", "s")


def test_a_job_of_three_nodes(tmp_path: Path) -> None:
    shutil.copytree(SCRIPTS, tmp_path / "docs" / "cluster")
    (tmp_path / ".venv").symlink_to(BIN.parent)
    for name, text in (("srun", SRUN), ("hostname", HOSTNAME)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    with closing(Network(tmp_path)) as network:
        slurm = {"SLURM_JOB_ID": "1234567", "SLURM_CPUS_PER_TASK": "1"}
        network.environment |= slurm | {"PATH": f"{tmp_path}:{network.environment['PATH']}"}
        job = network.begin("bash", str(SCRIPTS / "slurm.sh"), *WORDS, *MORE)
        out, errors = job.communicate(timeout=600)
        assert job.returncode == 0, out[-3000:] + errors[-3000:]
        assert "the search has ended: all 4 trials are done" in out
    trials = SearchFolder(tmp_path / "searches" / "s").trials()
    assert [trial.journal.events()[-1]["outcome"] for trial in trials] == ["completed"] * 4
