import json
import math
import os
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.data import corpora, ngrams

REFERENCE_3_11_7 = "71f2ff5d99bdc1f9c48c5c2353ad138201c5ca1c377e0226857ef8fa89b8bcee"


def ids(text: str, letters: str = "ab") -> np.ndarray:
    return np.array([letters.index(c) for c in text], np.int32)


def naive_probability(train: list[int], history: list[int], symbol: int, symbols: int) -> float:
    """The recursion as Witten and Bell write it, from order 0 up."""
    p = 1 / symbols
    for n in range(len(history) + 1):
        h = tuple(history[len(history) - n :])
        after = Counter(train[i + n] for i in range(len(train) - n) if tuple(train[i : i + n]) == h)
        if after:
            p = (after[symbol] + len(after) * p) / (after.total() + len(after))
    return p


def probability(train: np.ndarray, history: np.ndarray, symbol: int, symbols: int) -> float:
    """P(symbol | history) from `bars` alone: the bits of the whole less the bits of the history."""
    order = len(history) + 1
    whole = ngrams.bars(train, np.append(history, symbol), symbols, order)[-1] * order
    before = ngrams.bars(train, history, symbols, order)[-1] * len(history) if len(history) else 0.0
    return 2 ** -(whole - before)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ngrams"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one at every computation."""
    calls: list[int] = []
    compute = ngrams.bars

    def counting(train: np.ndarray, evaluated: np.ndarray, symbols: int, **more: Any) -> list[float]:
        calls.append(len(train))
        return compute(train, evaluated, symbols, **more)

    monkeypatch.setattr(ngrams, "bars", counting)
    return calls


def test_a_worked_example() -> None:
    # "aab", order 1: c(a)=2, c(b)=1, c()=3, T()=2, uniform 1/2: P(a) = (2+1)/5 = 3/5, P(b) = (1+1)/5 = 2/5.
    # Order 2: after "a" come one "a" and one "b", T=2: P(b|a) = (1 + 2*2/5)/4 = 9/20. The first "a" keeps 3/5.
    one, two = ngrams.bars(ids("aab"), ids("ab"), symbols=2, orders=2)
    assert one == pytest.approx(-(math.log2(3 / 5) + math.log2(2 / 5)) / 2)
    assert two == pytest.approx(-(math.log2(3 / 5) + math.log2(9 / 20)) / 2)
    assert (round(one, 4), round(two, 4)) == (1.0294, 0.9445)


def test_an_unseen_history_backs_off() -> None:
    # "b" ends the training text, so nothing ever follows it: P(a|b) is order 1's 3/5.
    # "ba" and "aba" are unseen too; after "a" P(a|a) = (1 + 2*3/5)/4 = 11/20 and orders 3 and 4 leave it there.
    # Order 1: 3/5 2/5 3/5 3/5. Order 2: 3/5 9/20 3/5 11/20.
    # Order 3: the history "ab" never continues, "ba" is unseen: nothing changes.
    bits = ngrams.bars(ids("aab"), ids("abaa"), symbols=2, orders=4)
    second = Fraction(3, 5) * Fraction(9, 20) * Fraction(3, 5) * Fraction(11, 20)
    assert bits[1:] == pytest.approx([-math.log2(second) / 4] * 3)


def test_a_symbol_that_training_lacks() -> None:
    # "aaa" over three symbols: P(a) = (3 + 1/3)/4 = 5/6, the others 1/12 each.
    assert ngrams.bars(ids("aaa"), ids("c", "abc"), 3, 1) == pytest.approx([math.log2(12)])
    # After "b" nothing is known; after "a": (0 + 1 * 1/12) / (2 + 1) = 1/36.
    assert ngrams.bars(ids("aaa"), ids("ac", "abc"), 3, 2)[1] == pytest.approx(math.log2(6 / 5 * 36) / 2)
    assert ngrams.bars(ids("aaa"), ids("bc", "abc"), 3, 2)[1] == pytest.approx(math.log2(12))


def test_equals_the_slow_recursion() -> None:
    rng = np.random.default_rng(7)
    text = (rng.random(2_000) ** 2 * 5).astype(np.int64)
    text[1_000:1_200] = text[:200]  # long histories that do come again
    train, evaluated = text[:1_700], np.append(text[1_700:], [5, 0, 5, 1])  # 5 is never trained on
    expected = []
    for order in range(1, 7):
        bits = [
            -math.log2(naive_probability(train.tolist(), evaluated[max(0, t - order + 1) : t].tolist(), int(w), 6))
            for t, w in enumerate(evaluated[-60:], len(evaluated) - 60)
        ]
        expected.append(math.fsum(bits))
    head = evaluated[:-60]
    whole = np.array(ngrams.bars(train, evaluated, 6)) * len(evaluated)
    assert (whole - np.array(ngrams.bars(train, head, 6)) * len(head)).tolist() == pytest.approx(expected)
    start = [naive_probability(train.tolist(), evaluated[:t].tolist(), int(evaluated[t]), 6) for t in range(6)]
    assert ngrams.bars(train, evaluated[:6], 6)[5] == pytest.approx(-math.log2(math.prod(start)) / 6)


@pytest.mark.parametrize("history", ["", "a", "b", "ab", "abra", "zzz", "abrac", "zabra"])
def test_probabilities_sum_to_one(history: str) -> None:
    letters = "abcdrz"
    train = ids("abracadabra" * 3, letters)
    total = sum(probability(train, ids(history, letters), w, len(letters)) for w in range(len(letters)))
    assert total == pytest.approx(1, abs=1e-12)


def test_a_text_shorter_than_the_order() -> None:
    assert ngrams.bars(ids("ab"), ids("a"), 2) == pytest.approx([1.0] * 6)
    assert ngrams.bars(ids("a"), ids("a"), 1) == [0.0] * 6


def test_many_symbols_do_not_collide() -> None:
    # 60,000 ** 6 is far beyond 64 bits: packed in one number, different histories would meet.
    rng = np.random.default_rng(0)
    train = rng.integers(0, 60_000, 500)
    evaluated = np.concatenate([train[100:110], rng.integers(0, 60_000, 10)])
    expected = [
        naive_probability(train.tolist(), evaluated[max(0, t - 5) : t].tolist(), int(w), 60_000)
        for t, w in enumerate(evaluated)
    ]
    assert ngrams.bars(train, evaluated, 60_000)[5] == pytest.approx(-np.log2(expected).mean())


def test_the_published_numbers() -> None:
    corpus = corpora.load()
    if corpus.sha256 != REFERENCE_3_11_7:
        pytest.skip("the published numbers are those of the language reference of CPython 3.11.7")
    cut = len(corpus.text) * 9 // 10
    vocabulary = corpora.vocabulary(corpus.text[:cut])
    train, evaluated = (corpora.encode(part, vocabulary) for part in (corpus.text[:cut], corpus.text[cut:]))
    published = [4.671, 3.344, 2.470, 2.026, 1.905, 1.932]
    assert ngrams.bars(train, evaluated, len(vocabulary)) == pytest.approx(published, abs=0.0006)


@pytest.mark.parametrize(
    ("train", "evaluated", "orders", "message"),
    [
        ([0], [0], 0, "orders: expected at least 1, got 0"),
        ([0, 2], [0], 1, "train: expected ids from 0 to 1, got 0 to 2"),
        ([0], [-1, 1], 1, "evaluated: expected ids from 0 to 1, got -1 to 1"),
        ([], [0], 1, "train: expected integers (characters,), at least one, got float64 (0,)"),
        ([0], [[0, 1]], 1, "evaluated: expected integers (characters,), at least one, got int64 (1, 2)"),
        ([0.5], [0], 1, "train: expected integers (characters,), at least one, got float64 (1,)"),
    ],
)
def test_errors(train: list[int], evaluated: list[int], orders: int, message: str) -> None:
    with pytest.raises(ValueError) as error:
        ngrams.bars(np.array(train), np.array(evaluated), 2, orders)
    assert str(error.value) == message


def test_the_cache_computes_once(cache: Path, counted: list[int]) -> None:
    first = ngrams.cached_bars("text", ids("aabab"), ids("abab"), 2)
    assert ngrams.cached_bars("text", ids("aabab"), ids("abab"), 2) == first
    assert ngrams.cached_bars("text", ids("aabab").astype(np.int64), ids("abab").astype(np.uint8), 2) == first
    assert counted == [5]
    (file,) = cache.iterdir()  # and no temporary file beside it
    written = json.loads(file.read_text())
    assert written["value"] == first and "text" in written["key"]


def test_the_cache_reads_what_it_wrote(cache: Path) -> None:
    ngrams.cached_bars("text", ids("aabab"), ids("abab"), 2)
    (file,) = cache.iterdir()
    other = {**json.loads(file.read_text()), "value": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}
    file.write_text(json.dumps(other))
    assert ngrams.cached_bars("text", ids("aabab"), ids("abab"), 2) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_whatever_changes_the_result_changes_the_file(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ngrams.cached_bars("text", ids("aabab"), ids("abab"), 2)
    ngrams.cached_bars("other", ids("aabab"), ids("abab"), 2)
    ngrams.cached_bars("text", ids("aabab"), ids("abab"), 3)
    ngrams.cached_bars("text", ids("aabaa"), ids("abab"), 2)
    ngrams.cached_bars("text", ids("aabab"), ids("abaa"), 2)
    ngrams.cached_bars("text", ids("aababa"), ids("bab"), 2)  # the same symbols, cut elsewhere
    monkeypatch.setattr(ngrams, "FORMAT", 2)
    ngrams.cached_bars("text", ids("aabab"), ids("abab"), 2)
    assert len(list(cache.iterdir())) == 7


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b'{"format": 1, "bits_per',
        b"\xff\xfe",
        b"[]",
        b"3",
        b"{}",
        b"[" * 100_000,
        b'{"bits_per_symbol": [1.0]}',
        b'{"bits_per_symbol": "abcdef"}',
        b'{"bits_per_symbol": [NaN, 1.0, 1.0, 1.0, 1.0, 1.0]}',
        b'{"bits_per_symbol": [null, 1.0, 1.0, 1.0, 1.0, 1.0]}',
    ],
)
def test_a_damaged_file_is_computed_anew(cache: Path, counted: list[int], garbage: bytes) -> None:
    first = ngrams.cached_bars("text", ids("aabab"), ids("abab"), 2)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(garbage)
    assert ngrams.cached_bars("text", ids("aabab"), ids("abab"), 2) == first
    assert counted == [5, 5]
    assert file.read_bytes() == whole


def test_without_a_place_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: list[int]) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path / "file"))
    first = ngrams.cached_bars("text", ids("aabab"), ids("abab"), 2)
    assert first == ngrams.cached_bars("text", ids("aabab"), ids("abab"), 2)
    assert counted == [5, 5]


def test_a_failed_write_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*paths: str) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert len(ngrams.cached_bars("text", ids("aabab"), ids("abab"), 2)) == 6
    assert list(cache.iterdir()) == []


def test_the_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECURRENT_SEARCH_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    ngrams.cached_bars("text", ids("aabab"), ids("abab"), 2)
    assert len(list((tmp_path / ".cache" / "recurrent-search" / "ngrams").glob("*.json"))) == 1


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "expanduser", homeless)
    assert len(ngrams.cached_bars("text", ids("aabab"), ids("abab"), 2)) == 6
    assert list(tmp_path.iterdir()) == []


def test_the_cache_checks_its_arguments(cache: Path) -> None:
    with pytest.raises(ValueError, match=r"^train: expected ids from 0 to 0, got 0 to 1$"):
        ngrams.cached_bars("text", ids("ab"), ids("a"), 1)
