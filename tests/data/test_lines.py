"""Lines as sequences: cut, encoded, sampled and judged."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from support.chains import CHAIN, markov_chain
from support.searching import Searched, run

from experiments.data import lines
from experiments.tasks.base import SPLITS, Draw
from experiments.tasks.loading.find import make
from experiments.training import samples, sampling

NAMES = [first + second for first in ("an", "be", "cor", "du") for second in ("na", "lia", "ro", "tus", "di", "mir")]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path / "cache"))


def corpus(folder: Path) -> Path:
    path = folder / "names.txt"
    path.write_text("\n".join(f" {name}\r" for name in NAMES * 10) + "\n\n")  # each ten times, and a blank line
    return path


def test_a_line_counts_once() -> None:
    parts = lines.split_lines("b\na\n\nb \n" + "\n".join(map(str, range(10))))
    assert sorted(sum(parts, [])) == sorted({"a", "b", *map(str, range(10))})
    assert [len(part) for part in parts] == [9, 1, 2]
    assert parts != (sorted(parts[0]), parts[1], parts[2]), "in no order of the alphabet"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n" * 50, "corpus: expected at least 10 different lines, got 1"),
        (
            "\n".join("x" * n for n in range(1995, 2010)),
            "corpus: expected lines of at most 2,000 characters with lines",
        ),
    ],
)
def test_no_lines(text: str, line: str) -> None:
    with pytest.raises(ValueError) as error:
        lines.split_lines(text)
    assert str(error.value).startswith(line)


def test_rows_by_hand() -> None:
    ids = np.array([1, 2, 3, 1, 4, 1], np.int32)  # "\nab\nc\n"
    x, y = lines.pad_lines(ids, 1, 4, -1)
    assert x.tolist() == [[1, 2, 3, 0], [1, 4, 0, 0]]
    assert y.tolist() == [[2, 3, 1, -1], [4, 1, -1, -1]]


def test_the_task(tmp_path: Path) -> None:
    task = make("char_lm", {"corpus": str(corpus(tmp_path)), "lines": "true"})
    assert not task.stream and task.steps == 7  # "corlia" and its newline
    found = []
    for split in SPLITS:
        x, y = task.split(split, 0)
        np.testing.assert_array_equal(np.where(y[:, :-1] >= 0, x[:, 1:], 0)[y[:, :-1] > 1], y[:, :-1][y[:, :-1] > 1])
        found += ["".join(task.token_names()[token] for token in row[row > 1]) for row in y]
    assert sorted(found) == sorted(NAMES), "every name in one split"
    assert (
        len(make("char_lm", {"corpus": str(corpus(tmp_path)), "lines": "yes", "train": "5"}).split("train", 0)[0]) == 5
    )


def test_the_newline_is_scored(tmp_path: Path) -> None:
    task = make("char_lm", {"corpus": str(corpus(tmp_path)), "lines": "true"})
    _, y = task.split("val", 0)
    newline = task.preprocessing()["vocabulary"].index("\n")
    logits = np.zeros((*y.shape, task.outputs), np.float32)
    even = task.score(y, logits)
    assert even == pytest.approx(np.log2(task.outputs))
    logits[y == newline, newline] = 50
    ends = np.mean(y[y >= 0] == newline)
    assert task.score(y, logits) == pytest.approx((1 - ends) * even, rel=1e-5)


def test_quality_by_hand() -> None:
    written = ["anna\n", "anna\n", "bert\n", "carl\n", "neverending", "\n", "dora\n", "emil\n"]
    assert lines.line_quality(written, "\nanna\nemil\n") == {"valid": 6 / 8, "unique": 5 / 6, "novel": 3 / 5}
    assert lines.line_quality(["x", "y"], "") == {"valid": 0.0, "unique": 0.0, "novel": 0.0}


def test_sampled_lines_follow_the_model() -> None:
    vocabulary = "\ufffd\nbc"  # the chain's first symbol is the newline
    drawn = samples.sample_lines(markov_chain(), vocabulary, 3000, 20, seed=0)
    assert drawn == samples.sample_lines(markov_chain(), vocabulary, 3000, 20, seed=0)
    assert all(line.count("\n") <= 1 and line.find("\n") in (-1, len(line) - 1) for line in drawn)
    first = np.array([sum(line[0] == symbol for line in drawn) for symbol in "\nbc"]) / 3000
    assert np.sum(first * np.log(first / CHAIN[0])) < 0.002, "the divergence from p(next | newline)"
    follows = "".join(drawn)
    pairs = np.array([follows.count(f"b{symbol}") for symbol in "\nbc"], float)
    pairs[1] = sum(
        follows[place : place + 2] == "bb" for place in range(len(follows))
    )  # count skips every other of bbb
    pairs /= pairs.sum()
    assert np.sum(pairs * np.log(pairs / CHAIN[1])) < 0.002


def test_a_text_of_lines_starts_anew_with_each(monkeypatch: pytest.MonkeyPatch) -> None:
    resets: list[Any] = []
    monkeypatch.setattr(sampling.StatefulReader, "reset", lambda self: resets.append(1))
    text = sampling.generate(markov_chain(), "\ufffd\nbc", "b", 60, lines=True)
    assert len(resets) == text.count("\n") > 0


def test_a_task_says_what_the_lines_of_a_model_are_like() -> None:
    class Short:
        def samples(self, draw: Draw) -> dict[str, float]:
            drawn = draw(40, 6)
            assert drawn == samples.sample_lines(markov_chain(), "\ufffd\nbc", 40, 6, seed=3)
            return {"short": np.mean([len(line) < 4 for line in drawn])}

        def preprocessing(self) -> dict[str, Any]:
            return {"vocabulary": "\ufffd\nbc"}

    found = samples.sample_shares(cast(Any, Short()), markov_chain(), 3)
    assert 0 < found["short"] < 1 and type(found["short"]) is float


def test_a_users_task_may_draw_by_itself() -> None:
    class Own:
        def samples(self, model: Any, seed: int) -> dict[str, float]:
            return {"seed": seed, "symbols": model.output_shape[-1]}

    assert samples.sample_shares(cast(Any, Own()), markov_chain(), 3) == {"seed": 3.0, "symbols": 4.0}


@pytest.mark.slow
def test_shares_of_the_samples_are_in_mlflow(tmp_path: Path) -> None:
    corpus(tmp_path)
    words = ("--cells", "gru", "--depth", "1", "--width", "32", "--learning-rate", "0.02", "--oracle", "grid")
    task = ("search", "char_lm", "-o", "corpus=names.txt", "-o", "lines=true")
    done = run(*task, *words, "--batch", "4", "--trials", "1", "--epochs", "10", "--name", "names", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (trial,) = Searched(tmp_path, "names", done).trials()
    shares = [trial.data.metrics[f"samples/{name}"] for name in ("valid", "unique", "novel")]
    assert all(0 < share <= 1 for share in shares)
    assert run("export", "names", "--to", "best", cwd=tmp_path).returncode == 0
    sampled = run("sample", "best", "--length", "60", cwd=tmp_path)
    assert sampled.returncode == 0 and len(sampled.stdout.split()) > 3
