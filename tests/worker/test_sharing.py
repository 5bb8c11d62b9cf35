"""Large data are made once: workers map the launcher's files instead of making arrays of their own."""

from pathlib import Path

import numpy as np
import psutil
import pytest
from support.searching import Searched, run

from experiments.config.folders import SearchFolder
from experiments.tasks.adding import Adding
from experiments.tasks.loading.digest import digest_of
from experiments.training.batches import Batches, Windows
from experiments.training.windows import streams
from experiments.worker import sharing
from tracking.errors import DataError

TASK = Adding(length=6, train=50, val=10)
SPLITS = [TASK.split("train", 3), TASK.split("val", 3)]


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return SearchFolder(tmp_path)


def test_small_data_are_not_written(folder: SearchFolder) -> None:
    sharing.share(folder, "one", SPLITS)
    assert not folder.data.exists()
    for arrays, expected in zip(sharing.load_splits(folder, "one", TASK, 3), SPLITS, strict=True):
        np.testing.assert_array_equal(arrays[0], expected[0])


def test_a_task_that_makes_other_data_in_a_worker_is_refused(folder: SearchFolder) -> None:
    found = sharing.load_splits(folder, "one", TASK, 3, digest_of(SPLITS))
    np.testing.assert_array_equal(found[0][0], SPLITS[0][0])
    with pytest.raises(DataError, match="^data: expected the same in every process, got others; "):
        sharing.load_splits(folder, "one", TASK, 4, digest_of(SPLITS))


def test_large_data_are_mapped_and_removed(folder: SearchFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "LARGE", 100)
    sharing.share(folder, "one", SPLITS)
    monkeypatch.delattr(Adding, "sample")  # nobody makes them again
    for arrays, expected in zip(sharing.load_splits(folder, "one", TASK, 3), SPLITS, strict=True):
        for part, wanted in zip(arrays, expected, strict=True):
            assert isinstance(part, np.memmap) and part.dtype == wanted.dtype
            np.testing.assert_array_equal(part, wanted)
    sharing.stop_sharing(folder, "another")
    assert folder.data.exists()
    sharing.stop_sharing(folder, "one")
    assert not folder.data.exists()


def test_a_new_launcher_takes_away_what_a_killed_one_left(
    folder: SearchFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "LARGE", 100)
    for session in ("killed", "next"):
        sharing.share(folder, session, SPLITS)
    assert [path.name for path in folder.data.iterdir()] == ["next"]


def test_mapped_arrays_are_read_where_they_lie(tmp_path: Path) -> None:
    size = 2**27
    np.save(tmp_path / "x.npy", np.arange(size // 4, dtype=np.float32).reshape(2**12, -1))
    x = np.load(tmp_path / "x.npy", mmap_mode="c")
    y = np.zeros(len(x), np.int32)
    next(iter(Batches((x[:2].copy(), y[:2]), 1).dataset))  # what TensorFlow needs once is there
    before = psutil.Process().memory_info().rss
    batches = Batches((x, y), 3)
    order = np.arange(len(x))[::-1]
    first, _ = next(iter(batches.shuffled(order)))
    np.testing.assert_array_equal(first, x[order[:3]])
    assert psutil.Process().memory_info().rss - before < size / 2, "a copy of the array was made"


def test_a_mapped_stream_is_read_where_it_lies(tmp_path: Path) -> None:
    size, parts = 2**27, []
    for name in "xy":
        np.save(tmp_path / f"{name}.npy", np.arange(size // 4, dtype=np.int32))
        parts.append(np.load(tmp_path / f"{name}.npy", mmap_mode="c"))
    next(iter(Windows((np.zeros((2, 9), np.int32), np.zeros((2, 9), np.int32)), 3).dataset))
    before = psutil.Process().memory_info().rss
    found = Windows(streams((parts[0], parts[1]), 7), 5)
    first, _ = next(iter(found.dataset))
    np.testing.assert_array_equal(first[1], np.arange(size // 4 // 7, size // 4 // 7 + 5))
    assert psutil.Process().memory_info().rss - before < size / 2, "a copy of the arrays was made"


MAPPED = """
import sys
from experiments.launcher import launch
from experiments.worker import sharing
from tracking.errors import DataError
from experiments.cli.main import main

sharing.LARGE = 1

def share(folder, session, splits):
    sharing.share(folder, session, splits)
    with open("written", "w") as file:
        print(*sorted(path.name for path in (folder.data / session).iterdir()), file=file)

launch.share = share
sys.exit(main(sys.argv[1:]))
"""


def test_a_search_over_large_data(tmp_path: Path) -> None:
    words = ("search", "adding", "-o", "length=5", "-o", "train=64", "-o", "val=16", "-o", "test=16")
    more = ("--oracle", "grid", "--cells", "simple_rnn", "--width", "16,32", "--depth", "1", "--learning-rate", "0.01")
    results = {}
    for name, how, workers in (("mapped", MAPPED, "2"), ("made", "", "1")):
        (tmp_path / name).mkdir()
        last = ("--epochs", "1", "--trials", "2", "--workers", workers, "--name", name)
        done = run(*words, *more, *last, cwd=tmp_path / name, code=how)
        assert (done.returncode, done.stderr) == (0, "")
        found = Searched(tmp_path / name, name, done).results()
        results[name] = sorted(trial["score"] for trial in found["trials"])
        assert not (tmp_path / name / "searches" / name / "data").exists()
    written = (tmp_path / "mapped" / "written").read_text().split()
    assert written == ["train-x.npy", "train-y.npy", "val-x.npy", "val-y.npy"]
    assert results["mapped"] == results["made"]
