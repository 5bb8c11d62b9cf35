"""A user's own arrays: what is in a file reaches the model as it should, and a broken file costs one line."""

import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.searching import Recurrent, Searched, listing, run

from experiments.tasks import base
from experiments.tasks.loading import find
from experiments.tasks.loading.rounding import loss

RNG = np.random.default_rng(0)
X = RNG.normal(size=(100, 6, 3)).astype(np.float32)
Y = np.arange(100) % 2
LENGTHS = np.arange(100) % 6 + 1
KNOWN = "x, y, lengths, x_val, y_val, lengths_val, x_test, y_test, lengths_test, group"

NOTHING = (("x", X), ("y", np.full((100, 6), -1)))

BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no y": ({"x": X}, "y: expected an array 'y' in d.npz, got x"),
    "a name": ({"x": X, "y": Y, "z": Y}, f"d.npz: expected arrays called {KNOWN}, got 'z'"),
    "objects": ({"x": np.array([{}, 1]), "y": Y}, "x: expected an array of numbers, got Python objects (a pickle)"),
    "words": ({"x": np.full((100, 6), "a"), "y": Y}, "x: expected integers or floats, got <U1"),
    "labels of a table": (
        {"x": X, "y": np.array(["no", "yes"], object)[Y]},
        "y: expected an array of numbers, got Python objects (a pickle);"
        " for labels that are strings save y.astype(str)",
    ),
    "labels in latin-1": (
        {"x": X, "y": np.array([b"caf\xe9", b"caf\xe8"])[Y]},
        "y: expected labels in UTF-8, got b'caf\\xe9'; save np.char.decode(y, \"latin-1\"), or how they are encoded",
    ),
    "labels that JSON cannot hold": (
        {"x": X, "y": np.array(["a\udce9", "b"])[Y]},
        "y: expected a name in UTF-8, which the record can hold, got 'a\\udce9'",
    ),
    "complex": ({"x": X.astype(complex), "y": Y}, "x: expected integers or floats, got complex128"),
    "nan": ({"x": np.where(X > 2, np.nan, X), "y": Y}, "x: expected finite numbers of 32 bits, got "),
    "too large": ({"x": X.astype(float) * 1e300, "y": Y}, "x: expected finite numbers of 32 bits, got "),
    "a single number": ({"x": X, "y": np.int64(3)}, "y: expected one for each of the 100 samples of x, got a single"),
    "nothing asked": (
        {"x": X, "y": np.tile([[0, 1] * 3], (100, 1)), **{f"{a}_{b}": c for b in ("val", "test") for a, c in NOTHING}},
        "y_val: expected a class somewhere in the 100 val samples that are used, got none: all are -1",
    ),
    "nothing asked before the end": (
        {"x": X, "y": np.tile([[-1] * 3 + [0, 1, 0]], (100, 1)), "lengths": LENGTHS * 0 + 3},
        "y: expected a class somewhere, got none: all are -1",
    ),
    "no features": (
        {"x": X[:, :, 0], "y": Y},
        "x: expected floats (n, time, features) or integer tokens (n, time), got float32 (100, 6);"
        " for sequences of one feature save x[..., None]",
    ),
    "integer features": (
        {"x": np.zeros((100, 6, 3), np.uint8), "y": Y},
        "x: expected floats (n, time, features) or integer tokens (n, time), got uint8 (100, 6, 3);"
        ' for measurements save x.astype("float32")',
    ),
    "4 axes": ({"x": X[..., None], "y": Y}, "x: expected floats (n, time, features) or integer tokens (n, time), got "),
    "no steps": ({"x": X[:, :0], "y": Y}, "x: expected floats (n, time, features) or integer tokens (n, time), got "),
    "negative token": (
        {"x": np.full((100, 6), -1), "y": Y},
        "x: expected tokens, which are integers from 0 below 100,000, got -1 to -1;",
    ),
    "huge token": (
        {"x": np.full((100, 6), 10**9), "y": Y},
        "x: expected tokens, which are integers from 0 below 100,000, got 1000000000 to 1000000000; for measurements"
        ' save x[..., None].astype("float32")',
    ),
    "no padding fits": ({"x": X * 0 - np.finfo(np.float32).max, "y": Y}, "x: expected finite numbers of 32 bits, got "),
    "other count": ({"x": X, "y": Y[:99]}, "y: expected one for each of the 100 samples of x, got 99"),
    "negative class": ({"x": X, "y": Y - 1}, "y: expected labels from 0, got -1; with -o kind=classes negative labels"),
    "other time": ({"x": X, "y": np.zeros((100, 5, 2))}, "y: expected labels (n,) or (n, time=6), one-hot rows "),
    "one class": (
        {"x": X, "y": Y * 0},
        "y: expected at least two classes in the 80 train samples that are used, got one",
    ),
    "long": ({"x": X, "y": Y, "lengths": LENGTHS + 1}, "lengths: expected 1 to 6, got 2 to 7"),
    "empty sequence": ({"x": X, "y": Y, "lengths": LENGTHS - 1}, "lengths: expected 1 to 6, got 0 to 5"),
    "float lengths": (
        {"x": X, "y": Y, "lengths": LENGTHS * 1.0},
        "lengths: expected integers (100,), got float32 (100,)",
    ),
    "half a split": ({"x": X, "y": Y, "x_val": X}, "y_val: expected x_val, y_val, x_test, y_test together, got x_val"),
    "few": ({"x": X[:9], "y": Y[:9]}, "x: expected at least 10 samples to split 80/10/10, got 9"),
    "none": ({"x": X[:0], "y": Y[:0]}, "x: expected samples, got none"),
    "unlike": (
        {"x": X, "y": Y, "x_val": X[:, :3], "y_val": Y, "x_test": X, "y_test": Y},
        "x_val: expected samples as in x, float32 (6, 3), got float32 (3, 3)",
    ),
}


def refused(recurrent: Recurrent, folder: Path, *words: str) -> str:
    before = listing(folder)
    done = recurrent("search", *words, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert listing(folder) == before
    (line,) = done.stderr.splitlines()
    return line.removeprefix("recurrent search: ")


@pytest.mark.parametrize("what", BROKEN)
def test_broken_arrays(recurrent: Recurrent, tmp_path: Path, what: str) -> None:
    arrays, line = BROKEN[what]
    np.savez(tmp_path / "d.npz", **arrays)
    assert refused(recurrent, tmp_path, "d.npz").startswith(line)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"hello", "d.npz: expected a file made with numpy.savez, got a pickle or no arrays"),
        (pickle.dumps({"x": 1}), "d.npz: expected a file made with numpy.savez, got a pickle or no arrays"),
        (b"", "d.npz: expected a file made with numpy.savez, got another: "),
        (b"PK\x03\x04broken", "d.npz: expected a file made with numpy.savez, got another: "),
        (None, "task: expected a file, got "),
    ],
)
def test_other_files(recurrent: Recurrent, tmp_path: Path, content: bytes | None, line: str) -> None:
    if content is not None:
        (tmp_path / "d.npz").write_bytes(content)
    assert refused(recurrent, tmp_path, "d.npz").startswith(line)


def damaged(folder: Path, how: str) -> None:
    """d.npz, harmed as disks and programs harm files."""
    path = folder / "d.npz"
    np.savez_compressed(path, x=X, y=Y)
    content = bytearray(path.read_bytes())
    if how == "bytes":
        content[200:208] = b"\xff" * 8
    elif how == "method":  # an unknown compression, in both headers
        content[8], content[content.index(b"PK\x01\x02") + 10] = 99, 99
    elif how == "encrypted":
        content[6], content[content.index(b"PK\x01\x02") + 8] = 1, 1
    path.write_bytes(content)
    if how in ("header", "huge", "short"):
        header = {
            "header": b"{'descr': '<f4', 'fortran_order': False, 'shape': (((",
            "huge": b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 6, 3), }",
            "short": b"{'descr': '<f4', 'fortran_order': False, 'shape': (100, 6, 3), }",
        }[how].ljust(117) + b"\n"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("x.npy", b"\x93NUMPY\x01\x00v\x00" + header + b"\0" * 8)
            file.writestr("y.npy", b"")


@pytest.mark.parametrize("how", ["bytes", "method", "encrypted", "header", "huge", "short"])
def test_a_damaged_file(recurrent: Recurrent, tmp_path: Path, how: str) -> None:
    damaged(tmp_path, how)
    line = refused(recurrent, tmp_path, "d.npz")
    assert line.startswith(("d.npz: expected a file made with numpy.savez, got ", "x: expected a whole array, got "))


def test_a_single_array_is_refused(recurrent: Recurrent, tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", X)
    os.rename(tmp_path / "d.npy", tmp_path / "d.npz")
    assert (
        refused(recurrent, tmp_path, "d.npz")
        == "d.npz: expected a file made with numpy.savez, got another: a single array"
    )


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("def (", "expected a file that Python can run, got SyntaxError: invalid syntax"),
        ("x = 1", "expected a class that extends experiments.tasks.base.Task, got none"),
        ("1 / 0", "expected a file that Python can run, got ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(3)", "expected a file that Python can run, got SystemExit: 3"),
        (None, "task: expected a file, got "),
    ],
)
def test_a_broken_task(recurrent: Recurrent, tmp_path: Path, code: str | None, line: str) -> None:
    if code is not None:
        (tmp_path / "mine.py").write_text(code)
    assert line in refused(recurrent, tmp_path, "mine.py")


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("train=81", "train: expected at most the 80 samples of the file, got 81"),
        ("train=online", "train: expected a number, got online: a file has only so many samples"),
        (
            "length=3",
            "-o: expected one of class_weight, gap, kind, metric, online, scale, split_by, stride, test, train, val,"
            " window, got 'length'",
        ),
    ],
)
def test_options_of_a_file(recurrent: Recurrent, tmp_path: Path, option: str, line: str) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    assert refused(recurrent, tmp_path, "d.npz", "-o", option) == line


def made(folder: Path, options: dict[str, str] | None = None, **arrays: Any) -> base.Task:
    np.savez(folder / "d.npz", **arrays)
    return find.make(str(folder / "d.npz"), options or {})


def test_splits_are_drawn_from_all_samples(tmp_path: Path) -> None:
    task = made(tmp_path, x=X, y=Y)
    parts = [task.split(split, 0) for split in base.SPLITS]
    assert [len(x) for x, _ in parts] == [80, 10, 10]
    found = sorted((*x.ravel().tolist(), int(y)) for xs, ys in parts for x, y in zip(xs, ys, strict=True))
    assert found == sorted((*x.ravel().tolist(), int(y)) for x, y in zip(X, Y, strict=True))
    assert (task.metric, task.direction, task.loss, task.per_step) == ("accuracy", "max", "categorical", False)
    assert (task.features, task.tokens, task.outputs, task.steps, task.padding) == (3, None, 2, 6, None)


def test_own_splits_stay(tmp_path: Path) -> None:
    task = made(tmp_path, x=X, y=Y, x_val=X[:7], y_val=Y[:7], x_test=X[:3], y_test=Y[:3])
    for split, count in (("train", 100), ("val", 7), ("test", 3)):
        np.testing.assert_array_equal(task.split(split, 0)[0], X[:count])
    shares = task.about()
    assert shares == (
        "d.npz: classification; x: 6 steps of 3 features; y: 2 classes (0: 50%, 1: 50%);"
        " samples: 100 train, 7 val, 3 test; in train, too: 7 x of val, 3 x of test"
    )


def test_what_is_behind_the_end_is_padding(tmp_path: Path) -> None:
    arrays = {"x": X, "y": Y, "lengths": LENGTHS}
    task = made(
        tmp_path, **arrays, **{f"{key}_{split}": a[:5] for key, a in arrays.items() for split in ("val", "test")}
    )
    x, _ = task.split("val", 0)
    assert task.padding == np.floor(X.min()) - 1 == task.preprocessing()["padding"]
    for row, length in enumerate(LENGTHS[:5]):
        np.testing.assert_array_equal(x[row, :length], X[row, :length])
        assert (x[row, length:] == task.padding).all()


def test_tokens_with_lengths_make_room_for_padding(tmp_path: Path) -> None:
    tokens = np.tile([3, 0, 1, 2, 0, 0], (20, 1))
    task = made(tmp_path, x=tokens, y=Y[:20], lengths=np.full(20, 4))
    assert task.split("val", 0)[0].tolist() == [[4, 1, 2, 3, 0, 0]] * 2
    assert (task.tokens, task.padding, list(task.token_names())) == (6, 0, ["_", "0", "1", "2", "3", "?"])


def test_padding_is_never_a_value_that_occurs(tmp_path: Path) -> None:
    """Seconds since 1970 have no room for one less in 32 bits."""
    x = (1.7e9 + np.arange(600.0).reshape(100, 6, 1)).astype(np.float32)
    task = made(tmp_path, x=x, y=Y, lengths=LENGTHS)
    x, _ = task.split("train", 0)
    assert np.float32(task.padding) < x[x != np.float32(task.padding)].min() == np.float32(1.7e9)


def test_many_tokens_need_little_memory(tmp_path: Path) -> None:
    x = np.random.default_rng(1).integers(0, 60_000, (200, 8))
    number = made(tmp_path, x=x, y=x[:, -1] / 60_000)
    assert number.floors()["last_step"] <= 1.1 * number.floors()["constant"]
    assert made(tmp_path, {"kind": "classes"}, x=x, y=x).floors()["last_step"] == pytest.approx(
        np.isin(number.split("val", 0)[0], number.split("train", 0)[0]).mean(), abs=0.01
    ), "a token that was seen names itself"


def test_numbers_by_token_are_its_means(tmp_path: Path) -> None:
    x, y = np.array([[0], [0], [1], [2]] * 5), np.array([1.0, 3, 5, 0] * 5)
    parts = {"x": x[:12], "y": y[:12], "x_val": np.array([[0], [1], [3]]), "y_val": np.array([2.0, 6, 2.25])}
    task = made(tmp_path, {"kind": "numbers"}, **parts, x_test=x, y_test=y)
    assert task.floors()["last_step"] == pytest.approx((0 + 1 + 0) / 3), "2, 5, and 2.25 for a token that is new"


def test_classes_at_every_step_end_with_the_sequence(tmp_path: Path) -> None:
    y = np.tile([0, 1, -1, 2, 1, 0], (20, 1))
    task = made(tmp_path, x=X[:20], y=y, lengths=np.full(20, 4))
    assert task.per_step and task.padding is None and task.outputs == 3
    assert task.split("test", 0)[1].tolist() == [[0, 1, -1, 2, -1, -1]] * 2


def test_floors_by_hand(tmp_path: Path) -> None:
    last = np.arange(40) % 4 == 0  # a quarter
    x = np.zeros((40, 3), int)
    x[:, -1] = last
    whole = {"x": x, "y": last * 1, "x_val": x, "y_val": last * 1, "x_test": x, "y_test": last * 1}
    assert made(tmp_path, **whole).floors() == {"constant": 0.75, "last_step": 1.0}
    numbers = X[:, -1, :1] * 2 + 1
    values = {f"{part}{split}": a for split in ("", "_val", "_test") for part, a in (("x", X), ("y", numbers))}
    floors = made(tmp_path, **values).floors()
    assert floors["constant"] == pytest.approx(numbers.var(), rel=1e-5)
    assert floors["last_step"] == pytest.approx(0, abs=1e-9)


def test_many_classes_need_little_memory(tmp_path: Path) -> None:
    """3,000 classes and 20,000 answers are 480 MB of distances, if all of them are in memory at once."""
    rng = np.random.default_rng(0)
    y, asked = np.tile(np.arange(3_000), 2), rng.integers(0, 3_000, 20_000)
    parts = {"x": place(y), "y": y, "x_val": place(asked), "y_val": asked, "x_test": place(y), "y_test": y}
    task = made(tmp_path, {"kind": "classes"}, **parts)
    tracemalloc.start()
    floors = task.floors()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert floors["last_step"] == 1.0, "each class has a place of its own"
    assert peak < 100e6


def place(y: np.ndarray) -> np.ndarray:
    """Sequences of one step, in which each class has a place of its own."""
    return np.stack([y % 50, y // 50], axis=-1).astype(np.float32)[:, None]


NOW = 1.7e9 + np.arange(100.0)  # times in seconds since 1970; in 32 bits there is a number every 128 seconds
BIG = 2**24 + np.arange(100.0) % 4  # labels, of which only every other one is a number in 32 bits


@pytest.mark.parametrize(
    ("arrays", "which"),
    [
        ({"x": np.dstack([X[..., 0], X[..., 1] * 0 + NOW[:, None]]), "y": Y}, "x[..., 1]"),
        ({"x": X, "y": NOW + 0.5}, "y"),
        ({"x": X, "y": NOW.astype(int)}, "y"),
    ],
)
def test_numbers_that_are_one_in_32_bits_are_refused(
    recurrent: Recurrent, tmp_path: Path, arrays: dict[str, Any], which: str
) -> None:
    np.savez(tmp_path / "d.npz", **arrays)
    kind = "kind=numbers" if which == "y" else "kind=auto"
    line = f"{which[0]}: expected numbers that floats of 32 bits tell apart, got {which} from 1.7e+09 to 1.7000001e+09,"
    assert refused(recurrent, tmp_path, "d.npz", "-o", kind).startswith(line)
    done = recurrent("tasks", "d.npz", "-o", kind, cwd=tmp_path)
    assert done.returncode == 0 and line in done.stdout, "a search of an earlier version is read, and says so"


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        (RNG.normal(size=100), True),
        (1e6 + RNG.normal(size=100), False),  # steps of 1/16
        (1e6 + 100 * RNG.normal(size=100), True),
        (1e30 * RNG.normal(size=100), True),
        (0.1 + 1e-17 * RNG.normal(size=100), True),  # one number, apart from the errors of sums
        (np.full(100, 0.1), True),
    ],
)
def test_what_32_bits_tell_apart(numbers: np.ndarray, told: bool) -> None:
    assert (loss(numbers, "y") == "") is told
    assert loss(numbers.astype(np.float32), "y") == "", "nothing is lost that was not there"


def test_labels_that_are_one_in_32_bits_stay_apart(tmp_path: Path) -> None:
    task = made(tmp_path, {"kind": "classes"}, x=X, y=BIG)
    assert task.preprocessing()["classes"] == [2**24 + label for label in range(4)]


def test_a_search_over_sequences_of_any_length(tmp_path: Path) -> None:
    x = np.repeat(Y[:, None, None], 6, axis=1).astype(np.float32)
    np.savez(tmp_path / "my data.npz", x=x, y=Y, lengths=LENGTHS)
    words = ("--cells", "gru", "--depth", "1", "--width", "16", "--learning-rate", "0.05", "--oracle", "grid")
    done = run("search", "my data.npz", *words, "--batch", "16", "--trials", "1", "--epochs", "3", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "my data.npz: classification; x: up to 6 steps of 1 feature; y: 2 classes (" in done.stdout
    searched = Searched(tmp_path, "my-data-1", done)
    (trial,) = searched.trials()
    assert trial.data.metrics["best/accuracy"] == 1.0
    again = run("search", "./my data.npz", "--name", "my-data-1", "--resume", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "")
    exported = run("export", "my-data-1", "--to", "best", cwd=tmp_path)
    assert exported.returncode == 0 and "test accuracy 1" in exported.stdout
    np.savez(tmp_path / "my data.npz", x=x + 1, y=Y, lengths=LENGTHS)
    changed = run("search", "my data.npz", "--name", "my-data-1", "--resume", cwd=tmp_path)
    assert changed.returncode == 2 and "--resume: expected as when the search began: data of digest" in changed.stderr
