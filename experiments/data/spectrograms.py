"""Spectrograms on the mel scale, the usual input of speech recognition, made with NumPy alone.

A clip is cut into frames of 25 ms, one every 12.5 ms. Each frame is weighted by a Hann window. The power of its
frequencies is summed in 26 triangular bands from 60 to 4,000 Hz, which are equally wide in mel (O'Shaughnessy 1987),
and the logarithm is taken:

    half a second at 8,000 samples a second, (4000,)  ->  39 frames of 26 bands, (39, 26)
"""

import functools
from pathlib import Path

import numpy as np

BANDS = 26
LOWEST, HIGHEST = 60, 4_000  # Hz
FRAME_SECONDS, HOP_SECONDS = 0.025, 0.0125
LEAST_RATE = 2 * HIGHEST  # samples a second, since a rate holds frequencies up to its half
QUIETEST = 1e-8  # power below which a band counts as silent: -80 dB of a full wave


def log_mel(samples: np.ndarray, rate: int) -> np.ndarray:
    """The frames float32 `(time, 26)` of a clip that is a frame long or longer.

    Args:
        samples: `(n,)`, from -1 to 1.
        rate: samples a second, 8,000 or more.
    """
    window, filters = _filters(rate)
    hop = round(rate * HOP_SECONDS)
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), len(window))[::hop] * window
    spectrum = np.fft.rfft(frames, 2 * (len(filters) - 1))
    power = (spectrum.real**2 + spectrum.imag**2) @ filters
    return np.asarray(np.log(power + QUIETEST), np.float32)


def frame_length(rate: int) -> int:
    """Samples of a frame."""
    return round(rate * FRAME_SECONDS)


def stretch(frames: np.ndarray, count: int) -> np.ndarray:
    """`(time, bands)` read at `count` equally spaced moments, `(count, bands)`, by linear interpolation."""
    at = np.linspace(0, len(frames) - 1, count)
    before = at.astype(int)
    behind = np.minimum(before + 1, len(frames) - 1)
    share = (at - before)[:, None]
    return np.asarray(frames[before] * (1 - share) + frames[behind] * share)


def band_edges() -> np.ndarray:
    """Hz, `(28,)`: a band begins at one, is loudest at the next and ends at the one behind it."""
    low, high = 2595 * np.log10(1 + LOWEST / 700), 2595 * np.log10(1 + HIGHEST / 700)
    mel = np.linspace(low, high, BANDS + 2)
    return np.asarray(700 * (10 ** (mel / 2595) - 1))


def draw(frames: np.ndarray, title: str, file: Path) -> None:
    """Writes a picture of `(time, features)` over time. If there are 26 features they are bands. Raises OSError."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=150, layout="constrained")
    axes = figure.subplots()
    seconds, bands = len(frames) * HOP_SECONDS, frames.shape[1]
    if bands == BANDS:
        image = axes.imshow(frames.T, origin="lower", aspect="auto", cmap="magma", extent=(0, seconds, 0, bands))
        marked = range(0, BANDS, 5)
        axes.set_yticks([band + 0.5 for band in marked], [f"{band_edges()[band + 1]:.0f}" for band in marked])
        axes.set(xlabel="seconds", ylabel="Hz")
    else:
        image = axes.imshow(frames.T, origin="lower", aspect="auto", cmap="magma")
        axes.set(xlabel="frame", ylabel="feature")
    axes.set_title(title)
    figure.colorbar(image, label="deviations from the mean")
    figure.savefig(file)


@functools.cache
def _filters(rate: int) -> tuple[np.ndarray, np.ndarray]:
    """The window `(n,)` and the weights of the frequencies in each band `(frequencies, 26)`, for a full wave of 1."""
    size = 1 << (frame_length(rate) - 1).bit_length()
    window = np.hanning(frame_length(rate) + 2)[1:-1]
    edges = band_edges()
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    frequencies = np.fft.rfftfreq(size, 1 / rate)[:, None]
    weights = np.minimum((frequencies - low) / (middle - low), (high - frequencies) / (high - middle))
    scale = (2 / window.sum()) ** 2 * len(window) / size  # the more frequencies there are, the more of them are summed
    return window.astype(np.float32), (np.maximum(weights, 0) * scale).astype(np.float32)
