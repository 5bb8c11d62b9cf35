"""A command that is ended by a signal leaves no temporary files."""

import signal
from pathlib import Path

import pytest
from support.searching import begin, finished, wait_until

EXPORTING = """
import sys, tempfile, time
from experiments.cli import main as cli
from experiments.cli.commands import results

def run(parsed):
    with tempfile.TemporaryDirectory(dir=".", prefix="model"):
        open("ready", "w").close()
        time.sleep(60)

results.run = run
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_command_that_is_ended_cleans_up(tmp_path: Path, number: signal.Signals) -> None:
    process = begin("results", cwd=tmp_path, code=EXPORTING)
    wait_until((tmp_path / "ready").exists, process)
    assert list(tmp_path.glob("model*"))
    process.send_signal(number)
    done = finished(process)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    assert not list(tmp_path.glob("model*"))
