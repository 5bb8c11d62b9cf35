"""Reads clips from files of the format WAV, with the module `wave` of Python."""

import wave
from typing import IO

import numpy as np

from experiments.data.spectrograms import LEAST_RATE, frame_length
from tracking.errors import DataError

LONGEST_SECONDS = 10
TYPES = {1: "u1", 2: "<i2", 4: "<i4"}  # by the bytes of a sample; one byte has no sign


def read(file: IO[bytes], name: str) -> tuple[np.ndarray, int]:
    """The samples float32 `(n,)` from -1 to 1, and how many there are in a second. Raises DataError in one line.

    The channels of a stereo file are averaged. What a program writes to a pipe has a wrong length at its beginning, so
    the clip ends where the file does.

    Args:
        name: of the file, for messages.
    """
    try:
        with wave.open(file) as opened:
            channels, size, rate = opened.getnchannels(), opened.getsampwidth(), opened.getframerate()
            content = opened.readframes(min(opened.getnframes(), LONGEST_SECONDS * rate + 1))
    except (wave.Error, EOFError, OSError, RuntimeError) as error:
        raise DataError(
            f"source: expected a WAV file of whole numbers, got {name}: {str(error) or 'it ends'}"
        ) from None
    if size not in TYPES or rate < LEAST_RATE:
        expected = f"8, 16 or 32 bits and at least {LEAST_RATE:,} samples a second"
        raise DataError(f"source: expected {expected}, got {8 * size} bits and {rate:,} in {name}")
    whole = np.frombuffer(content[: len(content) // (size * channels) * size * channels], TYPES[size])
    samples = whole.reshape(-1, channels).mean(axis=1, dtype=np.float64)
    if not frame_length(rate) <= len(samples) <= LONGEST_SECONDS * rate:
        expected = f"a clip of 25 ms to {LONGEST_SECONDS} s"
        got = f"{len(samples) / rate:.3f} s" if len(samples) <= LONGEST_SECONDS * rate else "a longer one"
        raise DataError(f"source: expected {expected}, got {got} in {name}")
    return ((samples - (128 if size == 1 else 0)) / 2 ** (8 * size - 1)).astype(np.float32), rate
