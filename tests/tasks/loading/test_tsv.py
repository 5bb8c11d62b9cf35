"""A user's own pairs: what is in a file reaches the model as it should, and a broken file costs one line."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from support.searching import Recurrent

from experiments.tasks.base import NOT_SCORED, SPLITS, Task
from experiments.tasks.loading import find
from experiments.tasks.loading.pairs import END, START, UNKNOWN
from tracking.deploy.predict import joined, source_ids
from tracking.errors import BadInput, DataError

PAIRS = [(f"{word} {number}", f"{number} {word}s") for word in ("Cat", "dog", "Cow", "hen") for number in range(25)]


def saved(folder: Path, lines: list[str], **options: str) -> Task:
    (folder / "pairs.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    return find.make(str(folder / "pairs.tsv"), options)


def lines(pairs: list[tuple[str, str]] = PAIRS) -> list[str]:
    return [f"{source}\t{target}" for source, target in pairs]


def read_back(task: Task, split: str) -> list[tuple[str, str]]:
    """(source, target) of each sample of a split, from its arrays and from what the card says of them."""
    about, (x, y) = task.preprocessing(), task.split(split, 0)
    steps = about["source_steps"]
    found = []
    for row, answers in zip(x, y, strict=True):
        assert row[steps] == START and [one for one in answers if one != NOT_SCORED][-1] == END
        source = [about["source_vocabulary"][one] for one in row[:steps][::-1] if one]
        target = [about["target_vocabulary"][one] for one in answers if one not in (NOT_SCORED, END)]
        between = {"characters": "", "words": " ", "tokens": " "}[about["units"][0]]
        found.append((between.join(source), joined(target, about)))
    return found


@pytest.mark.parametrize("unit", ["characters", "words", "tokens"])
def test_every_pair_is_in_one_split(tmp_path: Path, unit: str) -> None:
    task = saved(tmp_path, lines(), unit=unit)
    splits = {name: read_back(task, name) for name in SPLITS}
    known = {pair for some in splits.values() for pair in some if "<unk>" not in "".join(pair)}
    assert known <= set(PAIRS) and sum(map(len, splits.values())) == len(PAIRS)
    assert len(splits["train"]) == pytest.approx(80, abs=12) and min(map(len, splits.values())) > 3


def test_a_source_with_two_targets_is_in_one_split(tmp_path: Path) -> None:
    task = saved(tmp_path, lines([*PAIRS, *((source, f"{target}!") for source, target in PAIRS)]))
    where = {name: {source for source, _ in read_back(task, name)} for name in SPLITS}
    assert not where["train"] & where["val"] and not where["train"] & where["test"]


@pytest.mark.parametrize(
    ("twins", "options"),
    [
        (("abc{}", "ABC{}"), {"lowercase": "true"}),
        (("a b {}", "a  b {}"), {"unit": "tokens"}),
        (("\u00e9{}", "e\u0301{}"), {}),
    ],
)
def test_sources_that_are_read_alike_are_in_one_split(
    tmp_path: Path, twins: tuple[str, str], options: dict[str, str]
) -> None:
    task = saved(tmp_path, [f"{twin.format(number)}\tx" for number in range(60) for twin in twins], **options)
    where = {name: {source for source, _ in read_back(task, name)} for name in SPLITS}
    assert not where["train"] & where["val"] and not where["train"] & where["test"]
    assert sum(len(task.split(name, 0)[0]) for name in SPLITS) == 120


def test_sources_of_training_in_other_splits_are_counted(tmp_path: Path) -> None:
    task = saved(tmp_path, ["a\tu\ttrain", "b\tu\tTrain", "a\tv\tval", "c\tu\tval", "b\tu\ttest", "\t", "d\tu\t"])
    assert "2 val (1 with a source that train has, 1 with an unknown symbol in the source" in task.about()
    assert "1 test (1 with a source that train has)" in task.about()


def test_what_is_measured_of_a_beam_knows_no_unknown_symbol(tmp_path: Path) -> None:
    task = saved(tmp_path, ["ab\tu v\ttrain", "ba\tv u\ttrain", "ab\tu w\tval", "b\tu\ttest"], longest="3")
    _, y = task.split("val", 0)
    written = [[[int(one) for one in row if one > END]] for row in y]
    found = task.samples(lambda x, beam: written, 0)  # type: ignore[call-arg, arg-type, misc]
    assert found["exact_of_beam_5"] == 0 < found["edit_distance"]


def test_the_third_column_says_the_split(tmp_path: Path) -> None:
    task = saved(tmp_path, ["a b\tu\ttrain", "b a\tv\ttrain", "a a\tu\tval", "b b\tv\ttest"], unit="tokens")
    assert {name: read_back(task, name) for name in SPLITS} == {
        "train": [("a b", "u"), ("b a", "v")],
        "val": [("a a", "u")],
        "test": [("b b", "v")],
    }


def test_what_training_lacks_is_unknown_and_counts_as_wrong(tmp_path: Path) -> None:
    task = saved(tmp_path, ["ab\tu v\ttrain", "ba\tv u\ttrain", "ac\tu w\tval", "aab\tu v\tval", "b\tu\ttest"])
    x, y = task.split("val", 0)
    assert len(x) == 1 and UNKNOWN in x[0, : task.source_steps] and UNKNOWN in y[0]
    assert task.judge(y, np.eye(task.outputs)[np.maximum(y, 0)]) == [0]
    note = "1 val (1 too long, left out, 1 with an unknown symbol in the source, 1 with one in the target"
    assert note in task.about()


def test_units_case_and_lengths(tmp_path: Path) -> None:
    task = saved(tmp_path, lines(), unit="characters", target_unit="tokens", lowercase="true", longest="6")
    about = task.preprocessing()
    assert about["units"] == ["characters", "tokens"] and about["lower"] and "C" not in about["source_vocabulary"]
    assert "cats" in about["target_vocabulary"] and about["source_steps"] == 6 and about["target_steps"] == 3
    assert source_ids("CAT 9", about)[:5].tolist() == source_ids("cat 9", about)[:5].tolist()
    kept = saved(tmp_path, lines()).preprocessing()
    assert "C" in kept["source_vocabulary"]
    assert source_ids("Cat 9", kept).tolist() != source_ids("cat 9", kept).tolist()


def test_the_most_frequent_symbols_are_kept(tmp_path: Path) -> None:
    task = saved(tmp_path, lines(), unit="tokens", vocabulary="6")
    train = read_back(saved(tmp_path, lines(), unit="tokens"), "train")
    counts = Counter(word for source, _ in train for word in source.split())
    assert set(task.preprocessing()["source_vocabulary"][4:]) <= set(counts)
    assert len(task.preprocessing()["source_vocabulary"]) == 4 + 6
    assert {"Cat", "dog", "Cow", "hen"} <= set(task.preprocessing()["source_vocabulary"])


def test_the_floors_by_hand(tmp_path: Path) -> None:
    """The most frequent target, u, is right once of three. The nearest sources are abd and bca, and right twice."""
    train = ["abc\tu\ttrain", "abd\tu\ttrain", "bca\tv\ttrain"]
    task = saved(tmp_path, [*train, "abd\tu\tval", "bca\tv\tval", "cab\tw\tval", "ab\tu\ttest"])
    assert task.floors() == {"constant": pytest.approx(1 / 3), "nearest": pytest.approx(2 / 3)}
    assert task.floors("test") == {"constant": 1, "nearest": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ab\n", "pairs.tsv, line 1: expected a source, a tab and a target, got 1 column"),
        ("a\tb\tval\tx\n", "pairs.tsv, line 1: expected a source, a tab and a target, got 4 columns"),
        ("a\tb\n\n\tb\n", "pairs.tsv, line 3: expected a source and a target, got an empty source"),
        ("a\t\n", "pairs.tsv, line 1: expected a source and a target, got an empty target"),
        ("a\tb\nc\td\tdev\n", "pairs.tsv, line 2: expected the split in column 3, one of train, val, test, got 'dev'"),
        (
            "source\ttarget\tsplit\n",
            "pairs.tsv, line 1: expected the split in column 3, one of train, val, test, got 'split';"
            " the file needs no header",
        ),
        ("a\tb\ttrain\n", "pairs.tsv: expected pairs of the split val, got none of 1 pairs"),
        ("", "pairs.tsv: expected pairs of the split train, got none of 0 pairs"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "pairs.tsv").write_text(content, "utf-8")
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        find.make(str(tmp_path / "pairs.tsv"), {})


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_bytes("süß\tsweet\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"^pairs.tsv: expected lines in UTF-8, got: 'utf-8' codec can't decode byte"):
        find.make(str(tmp_path / "pairs.tsv"), {})


def test_options_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^unit: expected one of characters, words, tokens, smiles, got 'letters'"):
        saved(tmp_path, lines(), unit="letters")
    with pytest.raises(DataError, match=r"^train: expected a pair of at most 2 and 2 symbols, got none$"):
        saved(tmp_path, lines(), longest="2").split("train", 0)
    with pytest.raises(BadInput, match=r"^train: expected a number, got online: there are only so many pairs$"):
        saved(tmp_path, lines(), train="online")


def test_a_file_is_described_and_shown(tmp_path: Path, recurrent: Recurrent) -> None:
    (tmp_path / "pairs.tsv").write_text("\n".join(lines()), "utf-8")
    done = recurrent("tasks", "pairs.tsv", "-o", "unit=words", "--show", "1", cwd=tmp_path)
    assert done.returncode == 0, done
    assert re.search(r"^pairs.tsv: pairs: \d+ train, \d+ val.*; \d+ words to \d+ words$", done.stdout, re.MULTILINE)
    assert re.search(r"^x \d+ (Cat|dog|Cow|hen)$", done.stdout, re.MULTILINE), "a source is read from its end"
