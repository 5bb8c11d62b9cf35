"""Words as the papers count them, the word language model and its floors."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from experiments.data import ngrams, words
from experiments.tasks.base import Task
from experiments.tasks.loading.find import make
from experiments.training.scoring import Scorer
from search_spaces.recurrent import RecurrentSpace

TEXT = "the cat sat\nthe <unk> sat\n\n"  # one line is empty


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path / "cache"))


def task(folder: Path, **options: str) -> Task:
    """Ten equal parts of 20 lines; a new word, and a rare one, in the parts behind training."""
    line = "the cat sat on the mat\n"
    parts = [line * 20] * 8 + [line * 19 + "a dog sat\n", line * 20]
    width = len(parts[0])
    (folder / "text.txt").write_text("".join(part.ljust(width)[:width] for part in parts))
    return make("word_lm", {"corpus": str(folder / "text.txt"), **options})


def test_each_line_ends_with_eos() -> None:
    found = words.split(TEXT)
    assert found == ("the", "cat", "sat", "<eos>", "the", "<unk>", "sat", "<eos>", "<eos>")
    assert len(found) == len(TEXT.split()) + TEXT.count("\n"), "as ptb's 929,589 tokens are words and line ends"


def test_the_most_frequent_words_are_known() -> None:
    found = words.split(TEXT)
    assert words.vocabulary(found, 10) == ("<unk>", "<eos>", "the", "sat", "cat")
    assert words.vocabulary(found, 3) == ("<unk>", "<eos>", "the"), "of two that are as frequent the first one"
    assert words.encode(found, ("<unk>", "<eos>", "the", "sat")).tolist() == [2, 0, 3, 1, 2, 0, 3, 1, 1]


def test_back_to_text() -> None:
    known = ("<unk>", "<eos>", "the", "cat")
    assert words.decode(np.array([2, 3, 1, 1, 2]), known) == "the cat\n\nthe"
    assert words.decode(np.array([1, 3, 1]), known) == "\ncat\n"
    assert words.decode(np.array([], int), known) == ""


@pytest.mark.parametrize(
    ("prompt", "read"),
    [("", ("<eos>",)), ("the cat", ("the", "cat")), ("the\n", ("the", "<eos>")), ("a\nb", ("a", "<eos>", "b"))],
)
def test_a_prompt_goes_on_where_it_ends(prompt: str, read: tuple[str, ...]) -> None:
    assert words.prompt(prompt) == read


def test_the_vocabulary_is_of_the_training_split_alone(tmp_path: Path) -> None:
    found = task(tmp_path)
    assert found.token_names() == ("<unk>", "<eos>", "the", "cat", "sat", "on", "mat")
    x, y = found.split("val", 0)
    np.testing.assert_array_equal(x[1:], y[:-1])
    assert (x == 0).sum() == 2, "a dog"
    assert (found.split("train", 0)[0] > 0).all()
    assert found.preprocessing()["vocabulary"] == list(found.token_names())


def test_the_text_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []

    class Word(str):
        def __hash__(self) -> int:
            hashed.append(self)
            return super().__hash__()

    monkeypatch.setattr(words, "split", lambda text: tuple(map(Word, text.split())))
    found = task(tmp_path)
    assert found.tokens == 7 and hashed
    hashed.clear()
    assert (found.tokens, found.outputs, len(found.token_names()), found.answer(2)) == (7, 7, 7, "the")
    assert not hashed


def test_perplexity_by_hand(tmp_path: Path) -> None:
    found = task(tmp_path)
    y = np.array([[2, 1]], np.int32)
    logits = np.log(np.array([[[0.1, 0.2, 0.5, 0.05, 0.05, 0.05, 0.05], [0.2, 0.1, 0.3, 0.1, 0.1, 0.1, 0.1]]]))
    assert found.score(y, logits) == pytest.approx((1 / (0.5 * 0.1)) ** 0.5)
    assert found.score(y, np.zeros((1, 2, 7))) == pytest.approx(7), "all words as likely: as many as there are"


def test_floors_are_two_to_the_bits(tmp_path: Path) -> None:
    found = task(tmp_path)
    train, val = (found.split(split, 0) for split in ("train", "val"))
    whole = [np.append(x, y[-1]) for x, y in (train, val)]
    bits = ngrams.bars(whole[0], whole[1], 7, 5)
    assert list(found.floors().values()) == pytest.approx([2**value for value in bits])
    counts = Counter(whole[0].tolist())  # Witten-Bell of order 1, counted anew
    total, kinds = counts.total(), len(counts)
    nats = [-math.log((counts[word] + kinds / 7) / (total + kinds)) for word in whole[1].tolist()]
    assert found.floors()["unigram"] == pytest.approx(math.exp(np.mean(nats)))


def test_the_state_is_carried_through_the_split(tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    found = task(tmp_path, window="8")
    space = RecurrentSpace(outputs=7, tokens=7, loss="categorical", per_step=True)
    model = space.stack([("gru", 6)], 0.0)
    x, y = found.split("val", 0)
    whole = found.score(y[None], model.predict(x[None], verbose=0))
    assert Scorer(found, model, (x, y)).score() == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ({"vocabulary": "2"}, "vocabulary: expected 3 or more, got 2"),
        ({"val": "1"}, "train, val, test: expected 0 for all, or 2 or more, got 1"),
        ({"train": "online"}, "train: expected a number, got online: a text has only so many words"),
    ],
)
def test_refused_options(tmp_path: Path, option: dict[str, str], line: str) -> None:
    with pytest.raises(ValueError) as error:
        task(tmp_path, **option)
    assert str(error.value) == line
