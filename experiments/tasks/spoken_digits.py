"""Spoken digits: hear a word frame by frame, and say at its end which of ten it was.

    x  41 frames of 26 bands: the logarithm of the power in each band      y  7

A frame is 25 ms of sound, the next one begins 12.5 ms later, and the bands lie from 60 to 4,000 Hz on the mel scale.
Each band is standardised by its mean and deviation in the training split. -9 stands behind the end of a clip. Training,
validation and test share no voice. `synthetic` are ten words of the same four vowels in ten orders, spoken with any
lengths, and pauses before and behind; `espeak` is spoken by the program espeak-ng, `fsdd` are recordings of six people,
and a folder has files LABEL_VOICE_TAKE.wav of yours. In `japanese-vowels` nine men say two vowels as 12 cepstra, and
the answer is who.

Scored by accuracy. The floors, each with more memory: the most frequent word; the nearest mean of the last frame; a
linear discriminant of the mean frame, which knows no order; one of the clip stretched to 20 frames, which knows it all.

Solved: the score of the last one, on validation, or more.
Published: none for these splits. On fsdd the takes 0 to 4 of each speaker are mostly held out, so that the same voices
are in training and test.
Source: Jackson et al. 2018, Free Spoken Digit Dataset; japanese-vowels: Kudo, Toyama & Shimbo 1999, Pattern Recognition
Letters 20.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from experiments.data import speech
from experiments.data.spectrograms import draw, stretch
from experiments.tasks.base import Arrays, Task, option
from experiments.tasks.loading.memoryless import classes, discriminant
from tracking.errors import BadInput

PADDING, FARTHEST = -9, 8  # a standardised number is cut off at -8 and 8, so that no real frame is padding
STRETCHED = 20  # frames
SHADES = " .:-=+*#%@"


@dataclass(frozen=True, kw_only=True)
class SpokenDigits(Task):
    """x float32 `(count, frames, 26)`, y int32 `(count,)` from 0 to 9."""

    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "voices"
    loss: ClassVar[str] = "categorical"
    finite_data: ClassVar[str] = "there are only so many clips"
    default_trials: ClassVar[int] = 12
    default_epochs: ClassVar[int] = 15

    source: str = option(
        speech.SYNTHETIC, f"{', '.join(speech.SOURCES)}, or a folder of files LABEL_….wav", corpus=True
    )
    voices: int = option(30, "voices, a fifth each for validation and test: 60 is easy, 5 hard", 3)
    train: int = option(0, "training clips that are used, from the first; 0 for all", 0)
    val: int = option(0, "the same for validation", 0)
    test: int = option(0, "the same for the test, read by finals and export alone", 0)

    @functools.cached_property
    def _loaded(self) -> dict[str, list[speech.Clip]]:
        return speech.load(self.source, self.voices)

    @functools.cached_property
    def _clips(self) -> dict[str, list[speech.Clip]]:
        for name, clips in self._loaded.items():
            if (count := getattr(self, name)) > len(clips):
                raise BadInput(f"{name}: expected at most the {len(clips)} clips of {self.source}, got {count}")
        return {name: clips[: getattr(self, name) or None] for name, clips in self._loaded.items()}

    @functools.cached_property
    def _labels(self) -> list[str]:
        return sorted({clip.label for clip in self._loaded["train"]})

    @functools.cached_property
    def _scale(self) -> Arrays:
        """Mean and deviation of each feature over all frames of the training split."""
        frames = np.concatenate([clip.frames for clip in self._clips["train"]]).astype(np.float64)
        return frames.mean(axis=0), np.maximum(frames.std(axis=0), 1e-6)

    @property
    def licence(self) -> str:
        return speech.LICENCES.get(self.source, "")

    @property
    def padding(self) -> float:
        return PADDING

    @property
    def features(self) -> int:
        return int(self._clips["train"][0].frames.shape[1])

    @property
    def outputs(self) -> int:
        return len(self._labels)

    @property
    def steps(self) -> int:
        return max(len(clip.frames) for clips in self._clips.values() for clip in clips)

    def _frames(self, name: str) -> list[np.ndarray]:
        mean, deviation = self._scale
        return [np.clip((clip.frames - mean) / deviation, -FARTHEST, FARTHEST) for clip in self._clips[name]]

    def split(self, name: str, seed: int, epoch: int = 0) -> Arrays:
        if name not in self._clips:
            raise BadInput(f"split: expected one of {', '.join(self._clips)}, got {name!r}")
        clips = self._clips[name]
        x = np.full((len(clips), self.steps, self.features), PADDING, np.float32)
        for row, frames in zip(x, self._frames(name), strict=True):
            row[: len(frames)] = frames
        return x, np.array([self._labels.index(clip.label) for clip in clips], np.int32)

    @property
    def solved(self) -> float:
        return max(self.floors().values())

    def floors(self, split: str = "val") -> dict[str, float]:
        parts = "train", split
        (y, answers), heard = (self.split(name, 0)[1] for name in parts), [self._frames(name) for name in parts]
        last, mean, whole = (
            [np.array([view(frames) for frames in clips]) for clips in heard]
            for view in (lambda f: f[-1], lambda f: f.mean(axis=0), lambda f: stretch(f, STRETCHED).ravel())
        )
        frequent, last_frame = (float(np.mean(answers == one)) for one in classes(last[0], y, last[1]).values())
        return {
            "most_frequent": frequent,
            "last_frame": last_frame,
            "mean_frame": float(np.mean(discriminant(mean[0], y, mean[1]) == answers)),
            "stretched": float(np.mean(discriminant(whole[0], y, whole[1]) == answers)),
        }

    def answer(self, label: int) -> str:
        return self._labels[label]

    def preprocessing(self) -> dict[str, Any]:
        mean, deviation = (part.tolist() for part in self._scale)
        return {**super().preprocessing(), "classes": self._labels, "mean": mean, "deviation": deviation}

    def show(self, x: np.ndarray, y: np.ndarray) -> str:
        """The spectrogram with the highest band at the top. The mean is "=", and "@" stands for the loudest."""
        levels = np.clip((_real(x) + 2) * len(SHADES) / 5, 0, len(SHADES) - 1).astype(int)
        lines = ("".join(SHADES[level] for level in band).rstrip() for band in levels.T[::-1])
        return "x " + "\n  ".join(lines) + f"\ny {self._answer(y)}"

    def draw(self, x: np.ndarray, y: np.ndarray, file: Path) -> None:
        draw(_real(x), f"{self.source}: {self._answer(y)}", file)


def _real(x: np.ndarray) -> np.ndarray:
    """The frames before the padding."""
    return x[(x != PADDING).any(axis=1)]
