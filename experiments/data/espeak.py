"""Clips that the program espeak-ng speaks. It is run as a program, and is never linked."""

import io
import itertools
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from experiments.data import wav
from experiments.data.cache import cached_arrays
from experiments.data.formants import with_pauses
from experiments.data.spectrograms import log_mel
from tracking.errors import BadInput, DataError

PROGRAM, INSTALL = "espeak-ng", "apt-get install espeak-ng"
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029", "en-us-nyc")
SPEAKERS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "croak", "whisper", "klatt")
VOICES = len(ACCENTS) * len(SPEAKERS)
SILENT_SECONDS = 30  # a program that has not answered by then hangs


class Sentence(NamedTuple):
    """A digit that a voice says, at a speed (words a minute), a pitch (0 to 99) and a noise (its deviation)."""

    digit: int
    voice: str
    speed: int
    pitch: int
    noise: float


def version() -> str:
    """The first line of what the program says of itself; "" if it is not installed."""
    if not shutil.which(PROGRAM):
        return ""
    return _run(["--version"]).decode("utf-8", "replace").partition("  ")[0].strip()


def clips(voices: int, takes: int) -> list[tuple[np.ndarray, int, str]]:
    """Log-mel frames, digit and voice: each of the voices says each digit `takes` times.

    A voice is an accent and a speaker, with a speed, a pitch and a noise. Each clip has another speed and pitch around
    them, and pauses. The frames are kept in the cache.

    Raises:
        BadInput: for more voices than there are.
        DataError: in one line, if the program is not installed, fails or speaks nothing.
    """
    if voices > VOICES:
        raise BadInput(f"voices: expected at most the {VOICES} of {PROGRAM}, got {voices}")
    if not (found := version()):
        raise DataError(f"source: expected the program {PROGRAM}, which is not installed: {INSTALL}")
    sentences = _sentences(voices, takes)
    arrays = cached_arrays("speech", f"{found} {sentences}", lambda: _spoken(sentences))
    spoken = np.split(arrays["frames"], np.cumsum(arrays["lengths"])[:-1])
    return [(frames, one.digit, one.voice) for frames, one in zip(spoken, sentences, strict=True)]


def _sentences(voices: int, takes: int) -> list[Sentence]:
    rng, found = np.random.default_rng(0), []
    known = [f"{accent}+{speaker}" for accent, speaker in itertools.product(ACCENTS, SPEAKERS)]
    for place in rng.permutation(len(known))[:voices]:
        speed, pitch, noise = rng.integers(120, 260), rng.integers(20, 80), 10 ** rng.uniform(-2.5, -1.5)
        for digit, _ in itertools.product(range(len(WORDS)), range(takes)):
            own = int(speed * rng.uniform(0.7, 1.4)), int(pitch + rng.integers(-20, 20))
            found.append(Sentence(digit, known[place], *own, round(noise, 5)))
    return found


def _spoken(sentences: list[Sentence]) -> dict[str, np.ndarray]:
    """The frames of all sentences, one behind the other, and how many each has."""
    rng = np.random.default_rng(0)
    with ThreadPoolExecutor() as pool:  # each thread waits for a process
        heard = list(pool.map(speak, sentences))
    frames = [
        log_mel(with_pauses(rng, samples, rate, one.noise), rate)
        for one, (samples, rate) in zip(sentences, heard, strict=True)
    ]
    return {"frames": np.concatenate(frames), "lengths": np.array([len(one) for one in frames])}


def speak(sentence: Sentence) -> tuple[np.ndarray, int]:
    """The samples of a sentence, and how many there are in a second. Raises DataError if the program speaks nothing."""
    said = ["-v", sentence.voice, "-s", str(sentence.speed), "-p", str(sentence.pitch)]
    samples, rate = wav.read(io.BytesIO(_run([*said, "--stdout", WORDS[sentence.digit]])), f"{PROGRAM} {sentence}")
    if not samples.any():
        raise DataError(f"source: expected samples from {PROGRAM}, got silence for {sentence}")
    return samples, rate


def _run(words: list[str]) -> bytes:
    """What the program writes. Raises DataError if it fails."""
    try:
        return subprocess.run([PROGRAM, *words], capture_output=True, check=True, timeout=SILENT_SECONDS).stdout
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or str(error).encode()
        line = " ".join(told.decode("utf-8", "replace").split())
        raise DataError(f"source: expected {PROGRAM} {' '.join(words)} to speak, got: {line}") from None
