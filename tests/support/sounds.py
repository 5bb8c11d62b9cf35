"""WAV files of tones, for tests."""

import io
import wave
from pathlib import Path

import numpy as np

TONES = {"low": 300, "high": 2_000}  # Hz of each label


def tone(hertz: float, seconds: float = 0.1, rate: int = 8_000) -> np.ndarray:
    """A wave of half of the full loudness."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def wav(samples: np.ndarray, rate: int = 8_000, size: int = 2) -> bytes:
    """The content of a file with samples `(n,)` or `(n, channels)` from -1 to 1, of `size` bytes each."""
    whole = np.round(samples * (2 ** (8 * size - 1) - 1)).astype(np.int64)
    coded = whole.astype("<i8").reshape(-1, 1).view(np.uint8)[:, :size] if size > 1 else (whole + 128).astype(np.uint8)
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1 if samples.ndim == 1 else samples.shape[1], size, rate, 0, "NONE", ""))
        file.writeframes(coded.tobytes())
    return content.getvalue()


def recordings(labels: dict[str, int], voices: list[str], takes: int) -> dict[str, bytes]:
    """Files LABEL_VOICE_TAKE.wav: each take is a little higher and longer than the one before it."""
    return {
        f"{label}_{voice}_{take}.wav": wav(tone(hertz * (1 + 0.01 * take), 0.1 + 0.02 * take))
        for label, hertz in labels.items()
        for voice in voices
        for take in range(takes)
    }


def sound_folder(folder: Path, takes: int = 2) -> Path:
    """A folder of two labels, said by five voices."""
    folder.mkdir()
    for name, content in recordings(TONES, ["ada", "bob", "cyd", "dan", "eve"], takes).items():
        (folder / name).write_bytes(content)
    return folder
