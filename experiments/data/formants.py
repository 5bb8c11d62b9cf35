"""Synthetic speech: words of four vowels, spoken by voices that are drawn from a seed.

A vowel is three formants, the resonances of the mouth (the men's averages of Peterson & Barney 1952, Hz). Each word has
all four vowels once. The words differ only in their order, so which sounds a clip has says nothing:

    word 0  i u e a        word 1  a i e u

A pulse of the voice rings in each formant until the next pulse comes: exp(-pi b t) sin(2 pi f t) (Rodet 1984). A voice
has its own pitch, length of the mouth (which scales all formants), speed, noise and brightness. Each clip has its own
pitch, loudness and pauses, most of them both before and behind the word, and each vowel its own length, from 40 to
250 ms.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

RATE = 8_000  # samples a second
VOWELS = np.array([(270, 2290, 3010), (530, 1840, 2480), (730, 1090, 2440), (300, 870, 2240)], np.float32)  # i e a u
BANDWIDTHS = (60, 90, 120)  # Hz, of the three formants
RINGING_SECONDS = 0.03  # in which a word swells and fades
CUT = 0.2  # the share of the clips that end with the word
WORDS = 10


class Voice(NamedTuple):
    """How one speaks."""

    pitch: float  # Hz
    mouth: float  # a factor of all formants
    slowness: float  # a factor of all lengths
    noise: float  # its deviation
    brightness: float  # the loudness of a formant, as a share of that of the one below it


def clips(voices: int, takes: int) -> Iterator[tuple[np.ndarray, int, int]]:
    """Samples, word and voice: each of the voices says each of the ten words `takes` times."""
    words = spelled()
    for number in range(voices):
        rng = np.random.default_rng([0, number])
        voice = Voice(
            rng.uniform(90, 240),
            rng.uniform(0.85, 1.2),
            rng.uniform(0.75, 1.3),
            10 ** rng.uniform(-2.5, -1.5),
            rng.uniform(0.5, 0.9) ** 2,
        )
        for word, _ in itertools.product(range(WORDS), range(takes)):
            yield say(rng, VOWELS[words[word]], voice), word, number


def spelled() -> np.ndarray:
    """The places of the vowels of each word in `VOWELS`, `(10, 4)`."""
    orders = np.array(list(itertools.permutations(range(len(VOWELS)))))
    return np.asarray(orders[np.random.default_rng(0).permutation(len(orders))[:WORDS]])


def say(rng: np.random.Generator, formants: np.ndarray, voice: Voice) -> np.ndarray:
    """The samples float32 `(n,)` of a word.

    Args:
        formants: of its vowels, `(4, 3)`.
    """
    lengths = voice.slowness * np.exp(rng.uniform(np.log(0.04), np.log(0.25), len(formants)))
    at = np.arange(int(RATE * lengths.sum()), dtype=np.float32) / RATE
    pitch = voice.pitch * rng.uniform(0.85, 1.2) * (1.15 - 0.3 * at / at[-1])  # it falls towards the end
    since = (np.cumsum(pitch, dtype=np.float64) / RATE % 1).astype(np.float32) / pitch  # seconds since the last pulse
    middles = np.cumsum(lengths) - lengths / 2
    sound = np.zeros(len(at), np.float32)
    for place, bandwidth in enumerate(BANDWIDTHS):
        spoken = formants[:, place] * voice.mouth * rng.normal(1, 0.03, len(formants))
        frequency = np.interp(at, middles, spoken).astype(np.float32)
        ringing = np.exp(since * np.float32(-np.pi * bandwidth)) * np.sin(frequency * since * np.float32(2 * np.pi))
        sound += np.float32(voice.brightness**place) * ringing
    sound *= np.minimum(1, np.minimum(at, at[-1] - at) / np.float32(RINGING_SECONDS))
    return with_pauses(rng, np.float32(10 ** rng.uniform(-0.5, 0)) * sound, RATE, voice.noise)


def with_pauses(rng: np.random.Generator, sound: np.ndarray, rate: int, noise: float) -> np.ndarray:
    """The samples with a pause before and behind them, and noise over all. One clip in five has no pause behind it."""
    before, behind = (int(rate * rng.uniform(0.02, longest)) for longest in (0.4, 0.3))
    behind *= int(rng.random() >= CUT)
    clip = np.float32(noise) * rng.standard_normal(before + len(sound) + behind, np.float32)
    clip[before : before + len(sound)] += sound
    return clip
