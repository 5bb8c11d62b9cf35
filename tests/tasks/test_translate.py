"""Translate: numbers, dates and captions, from one language to another."""

import datetime
import gzip
import hashlib
import itertools
import re
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from num2words import num2words
from support import downloads
from support.downloads import Server

from experiments.data import dates, multi30k
from experiments.data.downloads import fetch
from experiments.tasks.base import NOT_SCORED
from experiments.tasks.loading.pairs import END, START, UNKNOWN, distance, error_rate, words_of
from experiments.tasks.translate import Translate
from tracking.deploy.predict import joined
from tracking.errors import BadInput, DataError

server = downloads.server  # the fixture

SMALL = Translate(train=300, val=100, test=100)


def pairs_of(task: Translate, split: str) -> list[tuple[str, str]]:
    """(source, target) of each sample, read back from the arrays by the names of the ids alone."""
    about = task.preprocessing()
    x, y = task.split(split, 0)
    sources = ["".join(about["source_vocabulary"][one] for one in row[: task.source_steps][::-1]) for row in x]
    targets = [[about["target_vocabulary"][one] for one in row if one not in (NOT_SCORED, END)] for row in y]
    return [(source, joined(target, about)) for source, target in zip(sources, targets, strict=True)]


NAMES = {str(num2words(number)): number for number in range(100)}


def number_of(text: str) -> int:
    """An independent reader of English numbers."""
    total, part = 0, 0
    for word in re.split(r"[ ,]+", text):
        if word == "thousand":
            total, part = total + 1000 * part, 0
        elif word == "hundred":
            part *= 100
        elif word != "and":
            part += NAMES[word]
    return total + part


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_both_sides_are_the_same_number(split: str) -> None:
    for source, target in pairs_of(SMALL, split):
        number = number_of(target)
        assert (source, target) == (num2words(number, lang="de"), num2words(number)) and number < 10**6


def test_no_number_is_in_two_splits() -> None:
    seen = [{target for _, target in pairs_of(SMALL, split)} for split in ("train", "val", "test")]
    for one, other in itertools.combinations(seen, 2):
        assert not one & other


def test_the_worked_example() -> None:
    """`split` of pairs.py: a source from its last symbol to its first, START, the target, and what is asked."""
    task, about = SMALL, SMALL.preprocessing()
    x, y = task.split("train", 0)
    row, asked = x[0].tolist(), y[0].tolist()
    length = row.index(0)
    assert row[length : task.source_steps] == [0] * (task.source_steps - length)
    assert row[task.source_steps] == START and asked[asked.index(END) + 1 :] == [NOT_SCORED] * (
        len(asked) - asked.index(END) - 1
    )
    written = row[task.source_steps + 1 :]
    assert written[: asked.index(END)] == asked[: asked.index(END)]
    assert about["target_steps"] == len(asked) and about["source_vocabulary"][:4] == ["", "<start>", "<end>", "<unk>"]


def test_every_digit_count_is_drawn_alike() -> None:
    counts = np.bincount([len(str(number_of(target))) for _, target in pairs_of(Translate(train=3_000), "train")])
    assert len(counts) == 7 and all(380 < count < 650 for count in counts[1:])


def test_a_sequence_is_right_if_every_step_is() -> None:
    y = np.array([[5, 6, 2, -1], [5, 2, -1, -1]])
    outputs = np.eye(8)[np.where(y < 0, 0, y)]
    assert SMALL.judge(y, outputs).tolist() == [1, 1]
    outputs[0, 1] = np.eye(8)[7]
    assert SMALL.judge(y, outputs).tolist() == [0, 1]


def test_the_measures_of_what_is_written() -> None:
    """By hand: of two targets u v and w, the beams are right, and wrong by one symbol with the right one second."""
    assert (distance("kitten", "sitting"), distance("", "ab"), distance("abc", "abc")) == (3, 2, 0)
    assert error_rate([("ab", ["ax", "abc"]), ("x", ["xy", "z"])]) == pytest.approx(2 / 3), "to the nearest answer"
    task = Translate(digits=2, train=50, val=2, test=2)
    _, y = task.split("val", 0)
    first, second = (row[: row.tolist().index(END)].tolist() for row in y)
    found = task.samples(lambda x, beam: [[first, [4]], [[*second, 5], second]], 0)
    assert found == {
        "exact_of_beam_5": 0.5,
        "right_among_5": 1.0,
        "edit_distance": pytest.approx(1 / (len(first) + len(second))),
    }


def test_the_floors_by_counting() -> None:
    """With two digits: ten numbers of one digit, ninety of two; half of the memory knows the first of two digits."""
    floors = Translate(digits=2).floors()
    assert floors["no_memory"] == pytest.approx(fmean([1 / 10, 1 / 90]))
    assert floors["half_memory"] == pytest.approx(fmean([1 / 10, 1 / 10]))
    assert floors["no_memory"] < floors["half_memory"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"languages": "de"}, "languages: expected two languages, like de-en, got 'de'"),
        ({"languages": "de-xx"}, "languages: expected two that num2words knows, like de-en, got 'xx'"),
        ({"languages": "am-en"}, "languages: expected two that num2words knows, like de-en, got 'am'"),
        (
            {"languages": "de-fr", "source": "multi30k-de-en"},
            "languages: expected them with numbers or dates, got source=multi30k-de-en",
        ),
        ({"digits": 7}, "digits: expected at most 6, got 7"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Translate(**options).split("train", 0)


def test_dates_are_the_same_day() -> None:
    """The English side is read by Python's own calendar, and the German one by its parts."""
    pytest.importorskip("babel", reason="the extra dates is not installed")
    months = "januar februar märz april mai juni juli august september oktober november dezember".split()  # noqa: SIM905
    weekdays = "montag dienstag mittwoch donnerstag freitag samstag sonntag".split()  # noqa: SIM905
    task = Translate(source="dates", train=200, val=50, test=50)
    seen: dict[str, set[str]] = {}
    for split in ("train", "val", "test"):
        for source, target in pairs_of(task, split):
            day = datetime.datetime.strptime(target.title(), "%A, %B %d, %Y")
            found = f"{weekdays[day.weekday()]}, {day.day}. {months[day.month - 1]} {day.year}"
            assert source == found and 1900 <= day.year < 2100
            seen.setdefault(split, set()).add(target)
    assert not seen["train"] & seen["val"] and not seen["train"] & seen["test"] and not seen["val"] & seen["test"]
    x, y = task.split("train", 0)
    assert not (y == UNKNOWN).any() and not (x[:, : task.source_steps] == UNKNOWN).any()
    floors = task.floors()
    assert floors["no_memory"] == pytest.approx(1 / 73_049) and floors["half_memory"] == pytest.approx(
        1 / 28.5, rel=0.01
    )


def test_without_babel_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "babel", None)
    dates.say.cache_clear()
    with pytest.raises(DataError, match=r"^source: dates need Babel; pip install 'recurrent-search\[dates\]'$"):
        Translate(source="dates")


def test_captions_are_downloaded(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path))
    (tmp_path / "downloads").mkdir()
    captions = {"de": "Ein Hund läuft.\nZwei Männer!\n", "en": "A dog runs.\nTwo men!\n"}
    for name in multi30k.NAMES.values():
        for language, text in captions.items():
            server.body = gzip.compress(text.encode(), mtime=0)
            known = hashlib.sha256(server.body).hexdigest()
            monkeypatch.setitem(multi30k.SHA256, f"{name}.{language}", known)
            fetch(server.url, known, f"multi30k.{name}.{language}.gz")  # the server has one file at a time
    task = Translate(source="multi30k-de-en", train=0, val=0, test=0)
    assert task.units == ("words", "words") and "research" in task.licence and task.solved is None
    about, (x, y) = task.preprocessing(), task.split("val", 0)
    assert [about["source_vocabulary"][one] for one in x[0] if one][:4] == [".", "läuft", "hund", "ein"]
    assert joined([about["target_vocabulary"][one] for one in y[1] if one > END], about) == "two men!"
    assert task.floors() == {"constant": 0.5, "nearest": 1.0} and "2 train" in task.about()
    with pytest.raises(BadInput, match=r"^train: expected a number, got online: there are only so many captions$"):
        Translate(source="multi30k-de-en", online=True)


@pytest.mark.parametrize(
    ("target", "unit"),
    [("fr", "words"), ("ru", "words"), ("it", "characters"), ("ja", "characters"), ("th", "characters")],
)
def test_no_language_has_symbols_that_training_lacks(target: str, unit: str) -> None:
    task = Translate(languages=f"en-{target}", train=300, val=100, test=100)
    assert task.units == ("characters", unit)
    for split in ("train", "val", "test"):
        x, y = task.split(split, 1)
        assert not (y == UNKNOWN).any() and not (x[:, : task.source_steps] == UNKNOWN).any()


@pytest.mark.parametrize(
    "text",
    ["don't", "3.5 or 1,000 (and more)", "дев'ять тисяч", "twenty-three, one", "สามแสนเจ็ด", "¿qué? ¡sí!", "e\u0301a b"],
)
def test_words_are_cut_and_joined(text: str) -> None:
    assert joined(words_of(text), {"units": ["words", "words"]}) == text


@pytest.mark.parametrize("languages", ["en-fr", "fr-es"])
def test_other_languages(languages: str) -> None:
    task = Translate(languages=languages, train=100, val=20, test=20)
    about, (x, y) = task.preprocessing(), task.split("train", 0)
    assert x.max() < max(task.tokens, task.outputs) and not (y == 3).any(), "no unknown word"
    assert all(re.fullmatch(r"\S+", name) for name in about["target_vocabulary"][1:])
