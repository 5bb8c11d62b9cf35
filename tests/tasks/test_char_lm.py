"""The character language model: the cut of the text, the vocabulary, bits per character and its floors."""

import hashlib
import math
import random
from pathlib import Path

import numpy as np
import pytest

from experiments.data import corpora, ngrams
from experiments.tasks.char_lm import CharLM
from experiments.tasks.loading.find import make
from experiments.training.scoring import Scorer
from search_spaces.recurrent import RecurrentSpace

KNOWN = ", ".join(corpora.names())
LENGTH = 5_003  # no multiple of 10


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def text(tmp_path: Path) -> str:
    """Letters. "é" and "z" come in validation alone, "漢" in the test alone. The file is `corpus.txt`."""
    rng = random.Random(0)
    letters = [rng.choice("abcde \n") for _ in range(LENGTH)]
    letters[4_100], letters[4_200], letters[4_600] = "é", "z", "漢"
    whole = "".join(letters)
    (tmp_path / "corpus.txt").write_text(whole, encoding="utf-8", newline="")
    return whole


@pytest.fixture
def task(text: str, tmp_path: Path) -> CharLM:
    return CharLM(corpus=str(tmp_path / "corpus.txt"))


def bits(probabilities: list[float]) -> float:
    return sum(-math.log2(p) for p in probabilities) / len(probabilities)


def test_the_worked_example(tmp_path: Path) -> None:
    path = tmp_path / "abc.txt"
    path.write_text("abcab" * 300)
    task = CharLM(corpus=str(path), train=5)
    x, y = task.split("train", 0)
    assert (x.tolist(), y.tolist()) == ([1, 2, 3, 1], [2, 3, 1, 2])
    assert x.dtype == y.dtype == np.int32
    assert task.characters == "\ufffdabc"


def test_80_10_10_in_order(task: CharLM, text: str) -> None:
    train, val, test = (task.text(name) for name in ("train", "val", "test"))
    assert train + val + test == text, "disjoint, in order, nothing left out"
    assert (len(train), len(val), len(test)) == (4_002, 500, 501)
    x, y = task.split("test", 0)
    assert corpora.decode(x, task.characters + "漢")[:5] == test[:5]
    assert len(x) == 500 and np.array_equal(x[1:], y[:-1])
    assert task.characters[y[-1]] == test[-1]


def test_the_vocabulary_is_of_the_training_split_alone(task: CharLM, text: str) -> None:
    assert task.characters == "\ufffd\n abcde"
    assert task.tokens == task.outputs == 8
    x, _ = task.split("val", 0)
    unknown = [place for place, character in enumerate(text[4_002:4_501]) if character in "éz"]
    assert np.flatnonzero(x == 0).tolist() == unknown == [98, 198]
    assert (task.split("train", 0)[0] > 0).all()
    assert task.preprocessing() == {
        "input": "int32 (batch, time)",
        "vocabulary": "\ufffd\n abcde",
        "unknown": 0,
        "lines": False,
    }


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_limits_take_the_start_of_a_split(task: CharLM, name: str) -> None:
    limited = CharLM(corpus=task.corpus, **{name: 120})
    assert limited.text(name) == task.text(name)[:120]
    for other in {"train", "val", "test"} - {name}:
        assert limited.text(other) == task.text(other)
    assert CharLM(corpus=task.corpus, **{name: 0}).text(name) == task.text(name)
    assert CharLM(corpus=task.corpus, **{name: 10**9}).text(name) == task.text(name)


def test_a_limited_training_split_has_its_own_vocabulary(task: CharLM) -> None:
    limited = CharLM(corpus=task.corpus, train=3)
    assert limited.characters == "\ufffd" + "".join(sorted(set(task.text("train")[:3])))
    assert limited.tokens <= 4
    assert (limited.split("val", 0)[0] == 0).any()


def test_the_score_by_hand() -> None:
    # Two streams of two steps over three symbols, p = (1, 2, 4)/7, (1, 1, 2)/4, (1, 1, 1)/3 and (8, 1, 1)/10.
    logits = np.log(np.array([[[1, 2, 4], [1, 1, 2]], [[5, 5, 5], [8, 1, 1]]], np.float32))
    y = np.array([[2, 0], [1, 0]], np.int32)
    expected = bits([4 / 7, 1 / 4, 1 / 3, 8 / 10])
    assert CharLM().score(y, logits) == pytest.approx(expected, abs=1e-6)
    assert CharLM().score(y, logits + np.float32(300)) == pytest.approx(expected, abs=1e-4), "logits are not normalised"
    assert CharLM().score(y[:, ::-1], logits) == pytest.approx(bits([1 / 7, 2 / 4, 1 / 3, 1 / 10]), abs=1e-6)


@pytest.mark.parametrize("symbols", [2, 3, 104])
def test_a_uniform_model_scores_the_bits_of_the_alphabet(symbols: int) -> None:
    y = np.random.default_rng(0).integers(0, symbols, (3, 50))
    assert CharLM().score(y, np.full((3, 50, symbols), 7.0, np.float32)) == pytest.approx(math.log2(symbols), abs=1e-6)


def test_a_certain_model_is_right_or_far_off() -> None:
    logits = np.array([[[10_000.0, 0.0]]], np.float32)
    assert CharLM().score(np.array([[0]]), logits) == 0
    assert CharLM().score(np.array([[1]]), logits) == pytest.approx(10_000 / math.log(2))
    assert math.isnan(CharLM().score(np.array([[0]]), np.full((1, 1, 2), np.nan, np.float32)))


def test_the_score_does_not_change_the_logits() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    before = logits.copy()
    CharLM().score(np.zeros((2, 3), np.int32), logits)
    assert np.array_equal(logits, before)


@pytest.mark.parametrize("split", ["val", "test"])
def test_floors_are_the_ngrams_of_the_same_split(task: CharLM, split: str) -> None:
    train, scored = (corpora.encode(task.text(name), task.characters) for name in ("train", split))
    expected = ngrams.bars(train, scored, task.tokens)
    floors = task.floors(split)
    assert list(floors) == ["unigram", "bigram", "trigram", "4-gram", "5-gram"]
    assert list(floors.values()) == expected[:5]
    assert task.floors(split) == floors, "from the cache"


def test_floors_know_the_limits(task: CharLM) -> None:
    whole, limited = task.floors(), CharLM(corpus=task.corpus, val=100)
    scored = corpora.encode(task.text("val")[:100], task.characters)
    bars = ngrams.bars(corpora.encode(task.text("train"), task.characters), scored, task.tokens)
    assert limited.floors()["trigram"] == bars[2] != whole["trigram"]
    assert limited.floors("test") == task.floors("test")


def test_a_unigram_model_scores_the_unigram_floor(task: CharLM) -> None:
    ids = corpora.encode(task.text("train"), task.characters)
    counts, kinds = np.bincount(ids, minlength=task.tokens), len(set(ids.tolist()))
    p = (counts + kinds / task.tokens) / (len(ids) + kinds)  # Witten and Bell above a uniform distribution
    scored = corpora.encode(task.text("val"), task.characters)
    logits = np.tile(np.log(p).astype(np.float32), (1, len(scored), 1))
    assert task.score(scored[None], logits) == pytest.approx(task.floors()["unigram"], abs=1e-5)


def recurrent_bits(weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> float:
    """A plain recurrent network over each stream from zero state, a step at a time, in double precision."""
    embedding, kernel, recurrent, bias, head, head_bias = (array.astype(np.float64) for array in weights)
    found = []
    for stream, answers in zip(x, y, strict=True):
        state = np.zeros(len(recurrent))
        for symbol, answer in zip(stream, answers, strict=True):
            state = np.tanh(embedding[symbol] @ kernel + state @ recurrent + bias)
            chances = np.exp(state @ head + head_bias)
            found.append(-math.log2(chances[answer] / chances.sum()))
    return sum(found) / len(found)


def test_the_score_of_a_model_carries_its_state_from_zero_through_the_whole_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "long.txt").write_text("".join(rng.choice(list("abc "), 50_000)))
    task = CharLM(corpus=str(tmp_path / "long.txt"))
    space = RecurrentSpace(task.outputs, task.loss, tokens=task.tokens, per_step=task.per_step)
    model = space.stack([("simple_rnn", 3)], 0.0)
    model.set_weights([rng.normal(0, 1, array.shape) for array in model.get_weights()])
    x, y = task.split("val", 0)
    assert len(x) == 4_999
    found = Scorer(task, model, (x, y)).score()  # reads it in 2 rows of whole windows
    assert found == pytest.approx(recurrent_bits(model.get_weights(), x[None], y[None]), abs=1e-5)
    windows = [part[:4_992].reshape(-1, 64) for part in (x, y)]
    assert abs(found - recurrent_bits(model.get_weights(), *windows)) > 1e-3, "state that is dropped at windows shows"


def test_the_bundled_corpus() -> None:
    task = make("char_lm", {})
    assert isinstance(task, CharLM) and task.corpus == corpora.BUNDLED
    whole = task.text("train") + task.text("val") + task.text("test")
    assert hashlib.sha256(whole.encode()).hexdigest() == corpora.load().sha256
    assert len(task.text("val")) == pytest.approx(len(whole) / 10, abs=1)
    assert task.tokens == len(set(task.text("train"))) + 1


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            None,
            f"corpus: expected {KNOWN} or the path of a UTF-8 text file, got {{!r}}, which does not exist",
        ),
        (b"", "corpus: expected at least 1,000 characters, got the empty file {!r}"),
        (b"abc", "corpus: expected at least 1,000 characters, got 3 in {!r}"),
        (
            b"a" * 2_000 + b"\xff",
            "corpus: expected UTF-8 text, got other bytes at byte 2000 of {!r};"
            " -o encoding=latin-1 names another encoding",
        ),
    ],
)
def test_a_corpus_that_cannot_be_read(tmp_path: Path, content: bytes | None, line: str) -> None:
    path = str(tmp_path / "corpus.txt")
    if content is not None:
        Path(path).write_bytes(content)
    with pytest.raises(ValueError) as caught:
        make("char_lm", {"corpus": path}).split("train", 0)
    assert str(caught.value) == line.format(path)


def test_options() -> None:
    task = make("char_lm", {"window": "32", "train": "10", "val": "20", "test": "30"})
    assert isinstance(task, CharLM) and (task.window, task.train, task.val, task.test) == (32, 10, 20, 30)
    assert (CharLM.metric, CharLM.direction, CharLM.knob) == ("bits_per_character", "min", "window")
    assert (CharLM.loss, CharLM.per_step, task.stream) == ("categorical", True, True)
    with pytest.raises(ValueError, match=r"^window: expected 2 or more, got 1$"):
        make("char_lm", {"window": "1"})
