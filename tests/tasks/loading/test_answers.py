"""A user's y is read as it was meant, and the first line says how. What may be both is refused with the way out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.searching import NotRefused, Recurrent, listing

from experiments.launcher.card import describe
from experiments.tasks.loading import find

RNG = np.random.default_rng(0)
N, T = 100, 4
X = RNG.normal(size=(N, T, 3)).astype(np.float32)
THREE = np.arange(N) % 3
HOT = np.eye(3)[THREE]
FOUR = np.eye(T, dtype=int)[np.arange(N) % T]  # as many classes as steps
STEPS = (np.arange(N)[:, None] + np.arange(T)) % 3
HOT_STEPS = np.eye(3)[STEPS]
COUNTS = RNG.integers(0, 5_000, N)
EITHER, BOTH = "y: expected classes or numbers, got ", "which may be both; give -o kind=classes or -o kind=numbers"

READ: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "integers": (THREE, (), "classification; x: 4 steps of 3 features; y: 3 classes (0: "),
    "one-hot": (HOT, (), "classification; x: 4 steps of 3 features; y: 3 classes, one-hot (0: "),
    "one-hot integers": (HOT.astype(np.uint8), (), "y: 3 classes, one-hot (0: "),
    "one-hot truth values": (HOT > 0, (), "y: 3 classes, one-hot (0: "),
    "one-hot at every step": (HOT_STEPS, (), "y: 3 classes, one-hot at every step (0: "),
    "as many classes as steps": (np.eye(4)[np.arange(N) % 4], (), "y: 4 classes, one-hot (0: "),
    "integers of as many classes": (FOUR, ("kind=one-hot",), "y: 4 classes, one-hot (0: "),
    "integers at every step": (FOUR, ("kind=classes",), "y: 2 classes at every step (0: "),
    "integers as numbers at every step": (FOUR, ("kind=numbers",), "y: 1 number at every step; "),
    "one-hot as it is said": (HOT_STEPS, ("kind=one-hot",), "y: 3 classes, one-hot at every step (0: "),
    "one-hot as numbers": (HOT, ("kind=numbers",), "regression; x: 4 steps of 3 features; y: 3 numbers; "),
    "labels from 1": (THREE + 1, (), "y: 3 classes (1: "),
    "a column": (THREE[:, None], (), "y: 3 classes (0: "),
    "strings": (np.array(["no", "yes"])[THREE % 2], (), "y: 2 classes (no: "),
    "bytes": (np.array([b"no", b"yes"])[THREE % 2], (), "y: 2 classes (no: "),
    "strings at every step": (np.array(["", "a", "b"])[STEPS], (), "y: 2 classes at every step (a: "),
    "classes at every step": (STEPS - 1, (), "y: 2 classes at every step (0: "),
    "truth values": (THREE > 0, (), "y: 2 classes (0: "),
    "measurements": (RNG.normal(size=N), (), "regression; x: 4 steps of 3 features; y: 1 number; samples: 80 train, "),
    "large whole floats": (COUNTS / 1, (), "regression; x: 4 steps of 3 features; y: 1 number; "),
    "as many numbers as steps": (
        RNG.normal(size=(N, T)),
        (),
        "y: 4 numbers for each sequence; y[..., None] would be a number at each of the 4 steps; ",
    ),
    "numbers at every step": (RNG.normal(size=(N, T, 1)), (), "y: 1 number at every step; "),
    "0. and 1. as classes": (THREE // 2 / 1, ("kind=classes",), "y: 2 classes (0: "),
    "0. and 1. as numbers": (THREE // 2 / 1, ("kind=numbers",), "regression; x: 4 steps of 3 features; y: 1 number; "),
    "counts as numbers": (COUNTS, ("kind=numbers",), "regression; x: 4 steps of 3 features; y: 1 number; "),
    "counts as classes": (COUNTS, ("kind=classes",), " classes ("),
    "counts at every step": (STEPS, ("kind=numbers",), "y: 1 number at every step; "),
    "negative labels": (THREE - 1, ("kind=classes",), "y: 3 classes (-1: "),
    "a step that is not asked": (HOT_STEPS * [0, 1, 1], ("kind=classes",), "y: 2 classes, one-hot at every step (1: "),
}

ROWS = (
    "y: expected one class for each sequence, or one at every step, got one-hot rows of integers (80, 4),"
    " which may be both; give -o kind=one-hot for 4 classes, or -o kind=classes for 0 or 1 at every one of the 4 steps"
)
OTHERS = "y: expected one-hot rows, each with one 1, got other rows of 3"
REFUSED: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "integers of as many classes": (FOUR, (), ROWS),
    "truth values of as many classes": (FOUR > 0, (), ROWS),
    "bytes of as many classes": (FOUR.astype(np.uint8), (), ROWS),
    "labels as one-hot": (THREE, ("kind=one-hot",), OTHERS),
    "labels at every step as one-hot": (STEPS, ("kind=one-hot",), OTHERS),
    "strings as one-hot": (
        np.array(["a", "b"])[STEPS % 2],
        ("kind=one-hot",),
        "y: expected numbers for -o kind=one-hot, got strings, for example '",
    ),
    "0. and 1.": (THREE // 2 / 1, (), f"{EITHER}2 different whole floats from 0 to 1, {BOTH}"),
    "counts": (COUNTS, (), EITHER),
    "counts at every step": (RNG.integers(0, 5_000, (N, T)), (), EITHER),
    "several classes": (
        (RNG.random((N, 3)) > 0.5) / 1,
        (),
        "y: expected one-hot rows, each with one 1, got other rows of 2 different whole floats from 0 to 1;"
        " -o kind=numbers predicts them as numbers",
    ),
    "several integers": (
        RNG.integers(0, 9, (N, 3)),
        (),
        "y: expected one-hot rows, each with one 1, got other rows of ",
    ),
    "strings as numbers": (
        np.array(["no", "yes"])[THREE % 2],
        ("kind=numbers",),
        "y: expected numbers for -o kind=numbers, ",
    ),
    "halves as classes": (
        THREE / 2,
        ("kind=classes",),
        "y: expected whole numbers for -o kind=classes, got 3 different",
    ),
    "no kind": (THREE, ("kind=class",), "kind: expected one of auto, classes, one-hot, numbers, got 'class'"),
    "a far label at a step": (STEPS - 2, (), "y: expected labels from -1, got -2"),
}


def saved(folder: Path, y: Any, **more: Any) -> Path:
    np.savez(folder / "d.npz", x=X[: len(y)], y=y, **more)
    return folder


def options(words: tuple[str, ...]) -> list[str]:
    return [part for word in words for part in ("-o", word)]


@pytest.mark.parametrize("what", READ)
def test_tasks_and_search_say_how_a_file_is_read(
    recurrent: Recurrent, tmp_path: Path, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    y, words, line = READ[what]
    saved(tmp_path, y)
    done = recurrent("tasks", "d.npz", *options(words), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (said,) = [one for one in done.stdout.splitlines() if one.startswith(("d.npz: class", "d.npz: regr"))]
    assert line in said
    with pytest.raises(NotRefused):
        recurrent("search", "d.npz", *options(words), cwd=tmp_path)
    assert capfd.readouterr().out.splitlines()[0] == said


@pytest.mark.parametrize("what", REFUSED)
def test_what_may_be_both_is_refused(recurrent: Recurrent, tmp_path: Path, what: str) -> None:
    y, words, line = REFUSED[what]
    before = listing(saved(tmp_path, y))
    for command in ("tasks", "search"):
        done = recurrent(command, "d.npz", *options(words), cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"recurrent {command}: {line}") and done.stderr.count("\n") == 1
    assert listing(tmp_path) == before


def test_the_names_of_classes_are_in_the_card(tmp_path: Path) -> None:
    for y, names in ((np.array(["b", "a"])[THREE % 2], ["a", "b"]), (THREE + 1, [1, 2, 3]), (HOT, [0, 1, 2])):
        task = find.make(str(saved(tmp_path, y) / "d.npz"), {})
        described = describe(task)
        assert described["preprocessing"]["classes"] == names
        assert described["shapes"]["output"]["shape"] == [None, len(names)]
        found = [names[label] for label in task.split("train", 0)[1]]
        order = np.random.default_rng(0).permutation(N)[:80]
        assert found == (y.argmax(axis=1) if y.ndim == 2 else y)[order].tolist()


def test_a_search_keeps_the_kind(recurrent: Recurrent, tmp_path: Path) -> None:
    from experiments.launcher.settings import search_spec

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(saved(tmp_path, COUNTS))
        spec, task = search_spec("d.npz", {"kind": "numbers"}, "s")
    assert (spec.options["kind"], task.metric, task.direction, task.loss) == ("numbers", "mse", "min", "mse")


def test_all_splits_are_one_hot(recurrent: Recurrent, tmp_path: Path) -> None:
    saved(tmp_path, HOT, x_val=X, y_val=HOT * 2, x_test=X, y_test=HOT)
    done = recurrent("search", "d.npz", cwd=tmp_path)
    assert done.returncode == 2 and "y_val: expected one-hot rows as in y, got other rows of " in done.stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("train=3",), "y: expected at least two classes in the 3 train samples that are used, got one: 0"),
        (("val=2",), "y_val: expected a class somewhere in the 2 val samples that are used, got none: all are -1"),
    ],
)
def test_a_limit_that_leaves_nothing_to_learn_or_score(
    recurrent: Recurrent, tmp_path: Path, words: tuple[str, ...], line: str
) -> None:
    y = np.where(np.arange(N)[:, None] < 3, 0, STEPS)
    parts = {"x_val": X, "y_val": np.where(np.arange(N)[:, None] < 2, -1, STEPS), "x_test": X, "y_test": STEPS}
    before = listing(saved(tmp_path, y, **parts))
    done = recurrent("search", "d.npz", *options(words), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"recurrent search: {line}\n"
    assert listing(tmp_path) == before


def test_a_drawn_split_without_a_scored_step(recurrent: Recurrent, tmp_path: Path) -> None:
    """Its floors were NaN, which no other program reads in JSON."""
    order = np.random.default_rng(0).permutation(N)
    y = STEPS.copy()
    y[order[80:90]] = -1
    done = recurrent("tasks", "d.npz", "--json", cwd=saved(tmp_path, y))
    assert (done.returncode, done.stdout) == (2, "")
    assert "y_val: expected a class somewhere in the 10 val samples that are used, got none" in done.stderr


def test_a_task_with_other_options(recurrent: Recurrent, tmp_path: Path) -> None:
    done = recurrent("tasks", "adding", "-o", "length=5", "--show", "1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "knob: -o length=5 " in done.stdout and len(done.stdout.splitlines()[-3].split()) == 6
    shown = recurrent("tasks", "adding", "-o", "length=5", "--json", cwd=tmp_path)
    assert json.loads(shown.stdout)["options"]["length"]["default"] == 5
    refused = recurrent("tasks", "-o", "length=5", cwd=tmp_path)
    assert (refused.returncode, refused.stderr) == (2, "recurrent tasks: -o: expected NAME with it, got none\n")


@pytest.mark.parametrize("kind", ["auto", "classes"])
def test_numbers_that_were_saved_as_strings(recurrent: Recurrent, tmp_path: Path, kind: str) -> None:
    """As from a table that was read without types."""
    np.savez(tmp_path / "d.npz", x=X, y=np.array([f"{value:.4f}" for value in RNG.normal(size=N)]))
    if kind == "classes":
        with pytest.raises(NotRefused):
            recurrent("search", "d.npz", "-o", "kind=classes", cwd=tmp_path)
        return
    done = recurrent("search", "d.npz", cwd=tmp_path)
    line = "recurrent search: y: expected labels, got 80 different strings that are numbers from "
    assert done.returncode == 2 and done.stderr.startswith(line)
    assert done.stderr.endswith("save y.astype(float) to predict numbers, or give -o kind=classes\n")


@pytest.mark.parametrize("labels", [["1", "2", "10"], [f"word {number}" for number in range(N)]])
def test_strings_that_are_labels(recurrent: Recurrent, tmp_path: Path, labels: list[str]) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=np.resize(labels, N))
    with pytest.raises(NotRefused):
        recurrent("search", "d.npz", cwd=tmp_path)
