"""kill -9 of finals: begun again until done, they end as the finals that nobody killed."""

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.killing import VICTIMS, killed_until_done, kills
from support.once import copied
from support.searching import RECURRENT, Searched, run

RUNS = 20
EPOCHS, SEEDS, CANDIDATES = 4, 2, 2
SEARCH = (
    *("search", "adding", "-o", "length=10", "-o", "train=512", "-o", "val=64", "-o", "test=64", "--batch", "16"),
    *("--cells", "simple_rnn,gru", "--depth", "1", "--width", "4,8", "--dropout", "0.2", "--epochs", str(EPOCHS)),
    *("--trials", "2", "--workers", "1", "--seed", "0", "--name", "killed", "--pruner", "none"),
)
FINALS = ("finals", "killed", "--seeds", str(SEEDS), "--workers", "1")
# The end of a search: five seeds are its default, so that these finals are begun with two before.
SEARCH_AND_FINALS = (*SEARCH, "--resume", "--finals", "1")

__all__ = ["kills"]  # the fixture
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
    done = run(*FINALS, cwd=folder, program=RECURRENT)
    assert (done.returncode, done.stderr) == (0, ""), done
    return outcome(folder), time.monotonic() - began


@pytest.mark.slow
@pytest.mark.parametrize("number", range(RUNS))
def test_killed_finals_end_as_if_nothing_had_been(
    tmp_path: Path, search: Path, whole: tuple[Outcome, float], kills: list[int], number: int
) -> None:
    rng, victim = random.Random(number), VICTIMS[number % 3]
    killed, tries = 0, 0
    while not killed:  # finals that are over before their moment comes are begun anew
        folder = copied(search, (tmp_path / str(tries)).resolve())
        done, killed = killed_until_done(words_in(folder), folder, victim, rng, whole[1])
        assert (done.returncode, done.stderr) == (0, ""), done
        tries += 1
    kills.append(killed)
    assert outcome(folder) == whole[0]
    exported = run("export", "killed", "--to", "best", cwd=folder)
    assert (exported.returncode, exported.stderr) == (0, ""), exported


def words_in(folder: Path) -> Callable[[int], tuple[str, ...]]:
    """What begins the finals in a folder: `recurrent finals`, and once they have begun the search in turn."""
    trials = folder / "searches" / "killed" / "finals" / "trials"
    return lambda begun: SEARCH_AND_FINALS if begun % 2 and any(trials.glob("*")) else FINALS
