"""A text as words and line ends, as the published word language models read it.

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


def vocabulary(training: tuple[str, ...], size: int) -> tuple[str, ...]:
    """<unk>, <eos>, then the most frequent words. Of two equally frequent words the one that occurs first is taken."""
    counts = Counter(word for word in training if word not in (UNKNOWN, END))
    return (UNKNOWN, END, *(word for word, _ in counts.most_common(size - 2)))


def encode(words: Sequence[str], vocabulary: Sequence[str]) -> np.ndarray:
    """Ids (words,) int32: the place of each word in `vocabulary`, 0 for a word that is not there."""
    ids = {word: place for place, word in enumerate(vocabulary)}
    return np.array([ids.get(word, 0) for word in words], np.int32)


def prompt(text: str) -> tuple[str, ...]:
    """The words of a prompt. A last line without a newline gets no <eos>. An empty prompt becomes one <eos>."""
    words = split(text)
    return (words if text.endswith("\n") else words[:-1]) or (END,)


def decode(ids: np.ndarray, vocabulary: Sequence[str]) -> str:
    """The text of `ids`: a space between words, a newline for <eos>."""
    lines = " ".join(vocabulary[place] for place in ids).split(END)
    return "\n".join(line.strip() for line in lines)
