"""kill -9 of finals: begun again until done, they end as the finals that nobody killed."""

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.killing import kill
from support.once import copied
from support.searching import Searched, begin, finished, run

RUNS, KILLS = 20, 2  # kills of a run
EPOCHS, SEEDS, CANDIDATES = 4, 2, 2
SEARCH = (
    *("search", "adding", "-o", "length=10", "-o", "train=512", "-o", "val=64", "-o", "test=64", "--batch", "16"),
    *("--cells", "simple_rnn,gru", "--depth", "1", "--width", "4,8", "--dropout", "0.2", "--epochs", str(EPOCHS)),
    *("--trials", "2", "--workers", "1", "--seed", "0", "--name", "killed", "--pruner", "none"),
)
FINALS = ("finals", "killed", "--seeds", str(SEEDS), "--workers", "1")
# The end of a search: five seeds are its default, so that these finals are begun with two before.
SEARCH_AND_FINALS = (*SEARCH, "--resume", "--finals", "1")

Outcome = list[dict[str, Any]]


def outcome(folder: Path) -> Outcome:
    """All that must be the same of every final, as MLflow has it, with each epoch once."""
    searched = Searched(folder, "killed", subprocess.CompletedProcess(FINALS, 0, "", ""))
    assert searched.parent.info.status == "FINISHED" and len(searched.trials()) == 2
    found = []
    for final in sorted(searched.runs("final"), key=lambda run: run.data.tags["recurrent.trial"]):
        curve = [(point.step, point.value) for point in searched.curve(final, "val_mse")]
        assert [step for step, _ in curve] == list(range(EPOCHS)), "each epoch once, none missing"
        metrics = {name: value for name, value in final.data.metrics.items() if not name.startswith("cost/")}
        tags = {name: final.data.tags[f"recurrent.{name}"] for name in ("candidate", "seed", "data_seed", "outcome")}
        found.append({"params": final.data.params, "metrics": metrics, "curve": curve, "tags": tags})
    seen = {(final["tags"]["candidate"], final["tags"]["seed"]) for final in found}
    assert len(seen) == len(found) == CANDIDATES * SEEDS, "each final once"
    assert searched.results()["finals"]["complete"]
    return found


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search that has ended, without finals."""
    folder = tmp_path_factory.mktemp("search").resolve()
    done = run(*SEARCH, cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    return folder


@pytest.fixture(scope="module")
def whole(search: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, float]:
    """The finals that nobody kills, and their seconds."""
    folder = copied(search, tmp_path_factory.mktemp("whole").resolve())
    began = time.monotonic()
    done = run(*FINALS, cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    return outcome(folder), time.monotonic() - began


@pytest.fixture(scope="module")
def kills(request: pytest.FixtureRequest) -> Iterator[list[int]]:
    """Of each run; said at the end in the terminal, which pytest keeps from a test that passes."""
    found: list[int] = []
    yield found
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\nkill test of finals: {len(found)} runs, {sum(found)} kills: {found}")
    assert all(found), "every run was killed"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(RUNS))
def test_killed_finals_end_as_if_nothing_had_been(
    tmp_path: Path, search: Path, whole: tuple[Outcome, float], kills: list[int], number: int
) -> None:
    rng, victim = random.Random(number), ("worker", "launcher", "both")[number % 3]
    killed, tries = 0, 0
    while not killed:  # finals that are over before their moment comes are begun anew
        folder = copied(search, (tmp_path / str(tries)).resolve())
        done, killed = killed_finals(folder, victim, rng, whole[1])
        assert (done.returncode, done.stderr) == (0, ""), done
        tries += 1
    kills.append(killed)
    assert outcome(folder) == whole[0]
    exported = run("export", "killed", "--to", "best", cwd=folder)
    assert (exported.returncode, exported.stderr) == (0, ""), exported


def killed_finals(
    folder: Path, victim: str, rng: random.Random, seconds: float
) -> tuple[subprocess.CompletedProcess[str], int]:
    """Runs the finals until they are done, killing up to KILLS times within `seconds`; returns their end and the kills.

    After the first kill they are begun by `recurrent finals` and by the search with --finals in turn.
    """
    killed, begun = 0, 0
    while True:
        has_plan = any((folder / "searches" / "killed" / "finals" / "trials").glob("*"))
        process = begin(*(SEARCH_AND_FINALS if begun % 2 and has_plan else FINALS), cwd=folder)
        begun += 1
        while process.poll() is None and killed < KILLS:
            with suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(1, seconds))
            if process.poll() is None and kill(process, victim):
                killed += 1
                if victim != "worker":  # else the launcher replaces it
                    process.wait()
        done = finished(process)
        if done.returncode != -signal.SIGKILL:
            return done, killed
