"""A text as words and line ends, the way the published word language models read it.

>>> split("the cat sat\\nthe dog")
('the', 'cat', 'sat', '<eos>', 'the', 'dog', '<eos>')
"""

import functools
from collections import Counter
from collections.abc import Sequence

import numpy as np

UNKNOWN, END = "<unk>", "<eos>"


@functools.lru_cache(maxsize=8)
def split(text: str) -> tuple[str, ...]:
    """The words between spaces, with <eos> behind each line."""
    return tuple(word for line in text.splitlines() for word in [*line.split(), END])


@functools.lru_cache(maxsize=8)
def vocabulary(training: tuple[str, ...], size: int) -> tuple[str, ...]:
    """<unk>, <eos>, then the most frequent words; of two that are as frequent the one that comes first."""
    counts = Counter(word for word in training if word not in (UNKNOWN, END))
    return (UNKNOWN, END, *(word for word, _ in counts.most_common(size - 2)))


def encode(words: Sequence[str], vocabulary: Sequence[str]) -> np.ndarray:
    """Ids (words,) int32: the position of each word in `vocabulary`, 0 for one that is not there."""
    place = {word: number for number, word in enumerate(vocabulary)}
    return np.array([place.get(word, 0) for word in words], np.int32)


def prompt(text: str) -> tuple[str, ...]:
    """The words of a prompt, which goes on where it ends; <eos> for an empty one, so that a line begins."""
    found = split(text)
    return (found if text.endswith("\n") else found[:-1]) or (END,)


def decode(ids: np.ndarray, vocabulary: Sequence[str]) -> str:
    """The text of `ids`: a space between words, a new line for <eos>."""
    lines = " ".join(vocabulary[number] for number in ids).split(END)
    return "\n".join(line.strip() for line in lines)
