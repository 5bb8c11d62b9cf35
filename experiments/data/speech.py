"""The clips of `spoken_digits`, from each of its sources, in three splits that share no voice."""

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tracking.errors import DataError
from tracking.text import did_you_mean

SYNTHETIC, ESPEAK, VOWELS, FSDD = SOURCES = ("synthetic", "espeak", "japanese-vowels", "fsdd")
LICENCES = {
    SYNTHETIC: "none is needed, since the data are generated",
    ESPEAK: "spoken by espeak-ng, a program under GPL-3.0-or-later",
    VOWELS: "BSD-3-Clause, that of the package aeon: Japanese Vowels, UCI",
    FSDD: "CC BY-SA 4.0: Free Spoken Digit Dataset",
}
CLIPS = 300  # of each word in all, of the sources that are made
PARTS = ("train", "val", "test")
LEAST_CLIPS = 10  # a tenth of fewer is no validation split


class Clip(NamedTuple):
    """Frames float32 `(time, features)`, what is said, and by whom; "" for a voice that is not known."""

    frames: np.ndarray
    label: str
    voice: str


def load(source: str, voices: int) -> dict[str, list[Clip]]:
    """The clips of the splits train, val and test.

    Of the voices a fifth is for validation, and another one for the test; at least one each. japanese-vowels has splits
    of its own, since its answer is the speaker. In a folder with fewer than three voices clips are drawn 80/10/10.

    Args:
        source: one of `SOURCES`, or a folder of files LABEL_….wav.
        voices: how many are made, or the most that are used of recordings.

    Raises DataError in one line.
    """
    if source in SOURCES:
        return _known(source, voices)
    folder = Path(source).expanduser()
    if not folder.is_dir():
        got = "is no folder" if folder.exists() else "does not exist"
        expected = f"{', '.join(SOURCES)}, or a folder of files LABEL_….wav"
        raise DataError(f"source: expected {expected}, got {source!r}, which {got}{did_you_mean(source, SOURCES)}")
    from experiments.data import recordings  # the list of tasks does not wait for what reads sounds

    return _by_voice([Clip(*clip) for clip in recordings.of_folder(folder)], voices)


@functools.lru_cache(maxsize=4)
def _known(source: str, voices: int) -> dict[str, list[Clip]]:
    from experiments.data import espeak, formants, japanese_vowels, recordings
    from experiments.data.spectrograms import log_mel

    takes = max(1, CLIPS // voices)
    if source == VOWELS:
        found = [(part, Clip(frames, label, label)) for frames, label, part in japanese_vowels.clips()]
        return {name: _shuffled([clip for part, clip in found if part == name]) for name in PARTS}
    if source == FSDD:
        clips = [Clip(*clip) for clip in recordings.fsdd()]
    elif source == ESPEAK:
        clips = [Clip(frames, str(digit), voice) for frames, digit, voice in espeak.clips(voices, takes)]
    else:
        made = formants.clips(voices, takes)
        clips = [Clip(log_mel(samples, formants.RATE), str(word), f"{voice:04}") for samples, word, voice in made]
    return _by_voice(clips, voices)


def _by_voice(clips: list[Clip], voices: int) -> dict[str, list[Clip]]:
    known = sorted({clip.voice for clip in clips})
    used = [known[place] for place in np.random.default_rng(0).permutation(len(known))[:voices]]
    if len(used) < len(PARTS):
        return _by_clip(_shuffled(clips))
    held_out = max(1, len(used) // 5)
    parts = dict(zip(PARTS, (used[2 * held_out :], used[:held_out], used[held_out : 2 * held_out]), strict=True))
    return _checked({name: _shuffled([clip for clip in clips if clip.voice in own]) for name, own in parts.items()})


def _by_clip(clips: list[Clip]) -> dict[str, list[Clip]]:
    if len(clips) < LEAST_CLIPS:
        raise DataError(f"source: expected {LEAST_CLIPS} clips or more to split 80/10/10, got {len(clips)}")
    first, second = len(clips) * 8 // 10, len(clips) * 9 // 10
    return _checked({"train": clips[:first], "val": clips[first:second], "test": clips[second:]})


def _checked(splits: dict[str, list[Clip]]) -> dict[str, list[Clip]]:
    """The splits. Raises DataError for a label that no training clip has, and for a single label."""
    labels = {name: {clip.label for clip in clips} for name, clips in splits.items()}
    if len(labels["train"]) < 2:
        raise DataError(f"source: expected clips of two labels or more, got {', '.join(labels['train'])} alone")
    for name in PARTS[1:]:
        if missing := labels[name] - labels["train"]:
            voice = next(clip.voice for clip in splits[name] if clip.label in missing)
            got = f"{min(missing)!r} in {name} alone" + (f", of the voice {voice!r}" if voice else "")
            raise DataError(f"source: expected every label in a training clip, got {got}")
    return splits


def _shuffled(clips: list[Clip]) -> list[Clip]:
    return [clips[place] for place in np.random.default_rng(0).permutation(len(clips))]
