"""`make quickstart`: its three command lines do what they promise, in the environment that runs the tests."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from support.searching import run

ROOT = Path(__file__).parents[2]
RECURRENT = ".venv/bin/recurrent"
SEARCH_SECONDS = 1_800  # that its search may take on a busy machine; alone it takes two minutes on two cores


def lines() -> list[list[str]]:
    """The words of the target's command lines, as make says them, without what installs the environment."""
    said = subprocess.run(["make", "-n", "quickstart"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = [shlex.split(line, comments=True) for line in said.splitlines() if line.startswith(f"{RECURRENT} ")]
    return [line[1:] for line in words if line[1] != "tasks"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_the_three_command_lines_of_make_quickstart(tmp_path: Path) -> None:
    search, export, sample = lines()
    assert (search[0], export[0], sample[0]) == ("search", "export", "sample")
    done = run(*search, cwd=tmp_path, seconds=SEARCH_SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(run("results", "quickstart", "--json", cwd=tmp_path).stdout)
    assert len(found["trials"]) == 12 and {trial["outcome"] for trial in found["trials"]} <= {"completed", "pruned"}
    best = min(trial["score"] for trial in found["trials"] if trial["score"] is not None)
    assert best < found["floors"]["4-gram"]

    done = run(*export, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / export[export.index("--to") + 1]
    assert {path.name for path in folder.iterdir()} == {"model.keras", "model.json"}
    about = json.loads((folder / "model.json").read_text("utf-8"))
    assert about["model_score"] == best

    done = run(*sample, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    prompt, length = sample[sample.index("--prompt") + 1], int(sample[sample.index("--length") + 1])
    assert done.stdout.startswith(prompt) and len(done.stdout) == len(prompt) + length + 1
    assert set(done.stdout) <= {*about["preprocessing"]["vocabulary"], "\n"}
