"""What a model knows of its data comes from the training split: tokens, classes, the length of lines."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cards import checked_card
from support.searching import Recurrent, run

from experiments.launcher.settings import search_spec
from experiments.tasks import base
from experiments.tasks.loading import find

SEARCH = (
    *("--cells", "gru", "--depth", "1", "--width", "8", "--trials", "1", "--epochs", "1", "--workers", "1"),
    *("--oracle", "random", "--learning-rate", "0.01", "--no-horizon", "--batch", "16"),
)
X = np.tile([[0, 1, 2, 5]], (40, 1))
Y = np.arange(40) % 2
NEW_TOKENS = np.array([[0, 7, 3, 9], [5, 5, 1, 0]] * 4)  # three that training lacks, one of them between its own
NEW_CLASSES = np.array([7, 0] * 4)
PARTS = {"x": X, "y": Y, "x_val": NEW_TOKENS, "y_val": Y[:8], "x_test": NEW_TOKENS, "y_test": NEW_CLASSES}


def saved(folder: Path, **arrays: Any) -> str:
    np.savez(folder / "d.npz", **arrays)
    return str(folder / "d.npz")


def test_a_class_that_only_the_test_has_gives_no_output(tmp_path: Path) -> None:
    saved(tmp_path, **PARTS)
    done = run("search", "d.npz", *SEARCH, "--name", "s", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    exported = run("export", "s", "--to", "best", cwd=tmp_path)
    assert (exported.returncode, exported.stderr) == (0, "")
    card = checked_card(tmp_path / "best")
    assert card["shapes"]["output"]["shape"] == [None, 2]
    assert card["test_score"] in (0, 0.5), "the half of another class is wrong"
    assert json.loads((tmp_path / "searches" / "s" / "spec.json").read_text("utf-8"))["reading"] == 2
    counted = "not in train: 12 tokens of val, 12 tokens of test, 4 answers of test (scored as wrong)"
    assert counted in done.stdout


def test_tokens_and_classes_that_only_others_have(tmp_path: Path) -> None:
    task = find.make(saved(tmp_path, **PARTS), {})
    assert (task.outputs, task.tokens, task.preprocessing()["unknown"]) == (2, 7, 6)
    assert task.split("val", 0)[0][:2].tolist() == [[0, 6, 6, 6], [5, 5, 1, 0]], "the others keep their numbers"
    np.testing.assert_array_equal(task.split("train", 0)[0], X)
    assert list(task.token_names()) == ["0", "1", "2", "?", "?", "5", "?"]
    logits = np.zeros((8, 2))
    logits[:, 1] = 1
    _, y = task.split("test", 0)
    assert task.score(y, logits) == 0 and task.score(y, -logits) == 0.5
    assert task.floors("test") == {"constant": 0.5, "last_step": 0.5}
    assert task.show(NEW_TOKENS[0] * 0, y[0]) == "x 0 0 0 0\ny ?"


def test_other_splits_change_no_property(tmp_path: Path) -> None:
    """They change what is said of them, and the padding, which must differ from every real step."""
    (tmp_path / "alone").mkdir()
    same = {f"{part}_{split}": PARTS[part] for part in "xy" for split in ("val", "test")}
    alone = find.make(saved(tmp_path / "alone", x=X, y=Y, **same), {})
    task = find.make(saved(tmp_path, **PARTS), {})
    names = ("tokens", "outputs", "steps", "features", "padding")
    assert [getattr(task, name) for name in names] == [getattr(alone, name) for name in names]
    assert task.preprocessing() == alone.preprocessing()


def test_tokens_behind_the_end_are_not_known(tmp_path: Path) -> None:
    lengths = {f"lengths{part}": np.full(len(PARTS[f"x{part}"]), 3) for part in ("", "_val", "_test")}
    task = find.make(saved(tmp_path, **PARTS, **lengths), {})
    assert (task.tokens, task.preprocessing()["unknown"], task.padding) == (5, 4, 0)
    assert task.split("val", 0)[0][:2].tolist() == [[1, 4, 4, 0], [4, 4, 2, 0]]
    assert task.token_names() == ["_", "0", "1", "2", "?"]


def test_the_training_samples_that_are_used_decide(tmp_path: Path) -> None:
    name = saved(tmp_path, **{**PARTS, "x": np.arange(40)[:, None] * [1, 1, 1, 1], "y": np.arange(40) // 10})
    assert (find.make(name, {}).tokens, find.make(name, {}).outputs) == (41, 4)
    fewer = find.make(name, {"train": "20"})
    assert (fewer.tokens, fewer.outputs) == (21, 2)


def test_the_padding_differs_from_every_real_step_of_every_split(tmp_path: Path) -> None:
    """Training has no number below 0; -1 would be the padding if training alone decided."""
    x = np.random.default_rng(0).random((40, 4, 1)).astype(np.float32)
    val, lengths = np.full((8, 4, 1), -1, np.float32), np.full(40, 2)
    parts = {"x_val": val, "y_val": Y[:8], "lengths_val": lengths[:8], "x_test": val - 1, "y_test": Y[:8]}
    task = find.make(saved(tmp_path, x=x, y=Y, lengths=lengths, **parts, lengths_test=lengths[:8]), {})
    for split in base.SPLITS:
        found, _ = task.split(split, 0)
        assert (found[:, :2] != task.padding).all() and (found[:, 2:] == task.padding).all()


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lines of three lengths: training has lines of 5 characters, and one longer line comes behind it."""
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path / "cache"))
    lines = sorted(f"{number:05d}" for number in range(300))
    place = np.random.default_rng(0).permutation(300).tolist()[-1]
    lines[place] += "x" * 40  # keeps its place in the alphabet
    (tmp_path / "names.txt").write_text("\n".join(lines))
    return tmp_path / "names.txt"


def test_the_length_of_a_line_is_each_splits_own(names: Path) -> None:
    options = {"corpus": str(names), "lines": "true"}
    task = find.make("char_lm", options)
    assert [task.split(split, 0)[0].shape[1] for split in base.SPLITS] == [6, 6, 46]
    assert task.about() == (
        "names.txt: lines: 240 train of up to 6 characters, 30 val of up to 6 characters,"
        " 30 test of up to 46 characters; not in train: 40 characters of test"
    )
    assert task.steps == 6 and "x" not in task.preprocessing()["vocabulary"]
    before = find.make("char_lm", options, reading=1)
    assert [before.split(split, 0)[0].shape[1] for split in base.SPLITS] == [46, 46, 46] and before.steps == 46
    for split in base.SPLITS:
        (x, y), (wide_x, wide_y) = task.split(split, 0), before.split(split, 0)
        np.testing.assert_array_equal(x, wide_x[:, : x.shape[1]])
        np.testing.assert_array_equal(y, wide_y[:, : y.shape[1]])
        assert (wide_y[:, y.shape[1] :] == base.NOT_SCORED).all()


def test_windows_of_a_text_are_read_as_before(names: Path) -> None:
    task, before = (find.make("char_lm", {"corpus": str(names)}, reading) for reading in (2, 1))
    for split in base.SPLITS:
        for one, other in zip(task.split(split, 0), before.split(split, 0), strict=True):
            np.testing.assert_array_equal(one, other)
    assert (task.steps, task.outputs, task.floors()) == (before.steps, before.outputs, before.floors())


def test_a_search_without_reading_in_its_spec_reads_as_it_did(
    recurrent: Recurrent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All splits gave tokens and classes; floats were numbers, whole ones too."""
    monkeypatch.chdir(tmp_path)
    name = saved(tmp_path, **PARTS)
    spec, task = search_spec(name, {}, "s")
    assert (spec.reading, task.outputs) == (2, 2)
    content = {key: value for key, value in spec.to_json().items() if key != "reading"}
    content["options"] = {key: value for key, value in spec.options.items() if key != "kind"}
    (tmp_path / "searches" / "s").mkdir(parents=True)
    (tmp_path / "searches" / "s" / "spec.json").write_text(json.dumps(content))
    spec, task = search_spec(name, {}, "s", resume=True)
    assert (spec.reading, task.outputs, task.tokens) == (1, 8, 10)
    np.testing.assert_array_equal(task.split("test", 0)[0], NEW_TOKENS)
    np.testing.assert_array_equal(task.split("test", 0)[1], NEW_CLASSES)
    refused = recurrent("search", "d.npz", "-o", "kind=numbers", "--name", "s", "--resume", cwd=tmp_path)
    assert refused.returncode == 2
    assert "kind: expected auto for a search of an earlier version, got 'numbers'" in refused.stderr
    floats = {name: array / 1 if name.startswith("y") else array for name, array in PARTS.items()}
    assert find.make(saved(tmp_path, **floats), {}, reading=1).loss == "mse"
