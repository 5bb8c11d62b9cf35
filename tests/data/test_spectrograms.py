"""Frames against sums that were written from the definition, and files of sound against what was put into them."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
from support.sounds import tone, wav

from experiments.data import wav as reader
from experiments.data.spectrograms import BANDS, draw, log_mel, stretch

BITS = "expected 8, 16 or 32 bits and at least 8,000 samples a second"


def mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def edge(place: int) -> float:
    """Hz of the place-th of 28 points that are equally far apart in mel from 60 to 4,000 Hz."""
    return float(700 * (10 ** ((mel(60) + place * (mel(4000) - mel(60)) / 27) / 2595) - 1))


def band_of_frame(samples: np.ndarray, rate: int, size: int, band: int) -> float:
    """The logarithm of the power of one frame in one band, by the sums of the definition."""
    n = len(samples)
    window = [0.5 - 0.5 * math.cos(2 * math.pi * (t + 1) / (n + 1)) for t in range(n)]
    power = 0.0
    for place in range(size // 2 + 1):
        hertz = place * rate / size
        rising = (hertz - edge(band)) / (edge(band + 1) - edge(band))
        falling = (edge(band + 2) - hertz) / (edge(band + 2) - edge(band + 1))
        if min(rising, falling) > 0:
            turns = np.exp(-2j * math.pi * place * np.arange(n) / size)
            power += min(rising, falling) * abs(np.dot(samples * window, turns)) ** 2
    return math.log(power * (2 / sum(window)) ** 2 * n / size + 1e-8)


@pytest.mark.parametrize(("rate", "length", "hop", "size"), [(8_000, 200, 100, 256), (22_050, 551, 276, 1024)])
def test_a_frame_is_that_of_the_definition(rate: int, length: int, hop: int, size: int) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, length + 3 * hop + 5)
    frames = log_mel(samples, rate)
    assert frames.shape == (4, BANDS) and frames.dtype == np.float32
    for frame, band in ((0, 0), (1, 7), (3, 25)):
        part = samples[frame * hop : frame * hop + length]
        assert frames[frame, band] == pytest.approx(band_of_frame(part, rate, size, band), abs=1e-3)


@pytest.mark.parametrize("hertz", [200, 1_000, 3_500])
def test_a_tone_is_loudest_in_its_band_at_any_rate(hertz: int) -> None:
    frames = [log_mel(tone(hertz, 0.2, rate), rate).mean(axis=0) for rate in (8_000, 16_000, 44_100)]
    for one in frames:
        loudest = int(one.argmax())
        assert edge(loudest) < hertz < edge(loudest + 2)
        assert one[loudest] == pytest.approx(frames[0][loudest], abs=0.3)


def test_silence_is_a_number() -> None:
    assert log_mel(np.zeros(400), 8_000) == pytest.approx(np.log(1e-8))


def test_a_clip_is_stretched() -> None:
    frames = np.array([[0.0, 10], [1, 20], [4, 30]])
    assert stretch(frames, 5).tolist() == [[0, 10], [0.5, 15], [1, 20], [2.5, 25], [4, 30]]
    assert stretch(frames[:1], 3).tolist() == [[0, 10]] * 3


def test_a_picture_of_other_features(tmp_path: Path) -> None:
    draw(np.random.default_rng(0).normal(size=(30, 12)), "7", tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG\r\n")


def read(content: bytes) -> tuple[np.ndarray, int]:
    return reader.read(io.BytesIO(content), "a.wav")


@pytest.mark.parametrize(("size", "step"), [(1, 1 / 127), (2, 1 / 32_767), (4, 1e-7)])
def test_bits_and_rates(size: int, step: float) -> None:
    samples = tone(440, 0.05, 16_000)
    found, rate = read(wav(samples, 16_000, size))
    assert (rate, found.dtype) == (16_000, np.float32)
    np.testing.assert_allclose(found, samples, atol=1.5 * step)


def test_stereo_is_averaged() -> None:
    left, right = tone(440), tone(880)
    np.testing.assert_allclose(read(wav(np.stack([left, right], axis=1)))[0], (left + right) / 2, atol=1e-4)


def test_a_pipe_writes_a_length_that_is_wrong() -> None:
    content = bytearray(wav(tone(440)))
    content[4:8], content[40:44] = b"\x24\xf0\xff\x7f", b"\x00\xf0\xff\x7f"
    np.testing.assert_allclose(read(bytes(content))[0], tone(440), atol=1e-4)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "expected a WAV file of whole numbers, got a.wav: it ends"),
        (b"ID3 music", "expected a WAV file of whole numbers, got a.wav: file does not start with RIFF id"),
        (
            wav(tone(440), size=3),
            "expected 8, 16 or 32 bits and at least 8,000 samples a second, got 24 bits and 8,000",
        ),
        (wav(tone(440), 4_000), f"{BITS}, got 16 bits and 4,000 in a.wav"),
        (wav(tone(440, 0.02)), "expected a clip of 25 ms to 10 s, got 0.020 s in a.wav"),
        (wav(tone(440, 10.1)), "expected a clip of 25 ms to 10 s, got a longer one in a.wav"),
    ],
    ids=["empty", "other", "24 bits", "slow", "short", "long"],
)
def test_a_file_that_does_not_fit_is_one_line(content: bytes, line: str) -> None:
    with pytest.raises(ValueError) as error:
        read(content)
    assert str(error.value).startswith(f"source: {line}") and "\n" not in str(error.value)
