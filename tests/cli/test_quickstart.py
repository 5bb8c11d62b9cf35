"""`make quickstart`: its three command lines in the environment that runs the tests, and the whole of it in a clone."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.cards import checked_card
from support.models import EXPORTED
from support.searching import environment, run

ROOT = Path(__file__).parents[2]
RECURRENT = ".venv/bin/recurrent"
SEARCH_SECONDS = 1_800  # that its search may take on a busy machine; alone it takes two to three minutes on two cores
INSTALL_SECONDS = 1_800  # that its installation may take if pip has to download everything


def lines() -> list[list[str]]:
    """The words of the target's command lines, as make says them, without what installs the environment."""
    said = subprocess.run(["make", "-n", "quickstart"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = [shlex.split(line, comments=True) for line in said.splitlines() if line.startswith(f"{RECURRENT} ")]
    return [line[1:] for line in words if line[1] != "tasks"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_the_three_command_lines_of_make_quickstart(tmp_path: Path) -> None:
    """Their results. Nothing is installed, and make itself does not run them."""
    search, export, sample = lines()
    assert (search[0], export[0], sample[0]) == ("search", "export", "sample")
    done = run(*search, cwd=tmp_path, seconds=SEARCH_SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(run("results", "quickstart", "--json", cwd=tmp_path).stdout)
    assert len(found["trials"]) == 24 and {trial["outcome"] for trial in found["trials"]} <= {"completed", "pruned"}
    rates = {
        cell: {trial["values"]["learning_rate"] for trial in found["trials"] if trial["values"]["cell"] == cell}
        for cell in ("simple_rnn", "lstm", "gru")
    }
    assert {len(tried) for tried in rates.values()} == {4}, "each cell at its own best learning rate"
    assert re.search(
        r"\nBest is gru-128 .*; best of the other cells: .* at learning rate .* at learning rate", done.stdout
    )
    assert "\nThis leaves open: no spread of seeds is known" in done.stdout
    assert "only one learning rate" not in done.stdout
    best = min(trial["score"] for trial in found["trials"] if trial["score"] is not None)
    assert best < found["floors"]["4-gram"]

    done = run(*export, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / export[export.index("--to") + 1]
    assert {path.name for path in folder.iterdir()} == EXPORTED
    about = checked_card(folder)
    assert about["model_score"] == best

    done = run(*sample, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    prompt, length = sample[sample.index("--prompt") + 1], int(sample[sample.index("--length") + 1])
    assert done.stdout.startswith(prompt) and len(done.stdout) == len(prompt) + length + 1
    assert set(done.stdout) <= {*about["preprocessing"]["vocabulary"], "\n"}


@pytest.mark.slow
@pytest.mark.skipif(not all(map(shutil.which, ("make", "git"))), reason="no make or no git")
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no git checkout that can be cloned")
def test_make_quickstart_in_a_clone(tmp_path: Path) -> None:
    """What a new user does: `git clone`, `make quickstart`. Pip may take the packages from its cache."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    outer = {name: value for name, value in environment(tmp_path).items() if not name.startswith(("MAKE", "PYTHON"))}
    words = ["make", "quickstart", f"PYTHON={sys.executable}"]
    seconds = INSTALL_SECONDS + SEARCH_SECONDS
    done = subprocess.run(words, cwd=clone, env=outer, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done
    said = [line.strip() for line in done.stdout.splitlines()]
    assert said[0].startswith("Installing into .venv") and said[-2].startswith("Next: .venv/bin/recurrent ui")
    commands = [line.split()[1] for line in said if line.startswith(f"{RECURRENT} ")]
    assert commands[:3] == ["search", "export", "sample"]
    assert "all 24 trials are done" in done.stdout and "\nThe " in done.stdout
    assert {path.name for path in (clone / "quickstart-best").iterdir()} == EXPORTED
    results = [clone / RECURRENT, "results", "quickstart", "--json"]
    found = json.loads(subprocess.run(results, cwd=clone, env=outer, capture_output=True, check=True).stdout)
    assert len(found["trials"]) == 24
    about = json.loads((clone / "quickstart-best" / "model.json").read_text("utf-8"))
    assert about["model_score"] == min(trial["score"] for trial in found["trials"] if trial["score"] is not None)
