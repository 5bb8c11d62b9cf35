"""Spoken words: the arrays, the floors, a solver that was written from the definition, and how samples are shown."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.searching import Recurrent
from support.sounds import sound_folder

from experiments.cli.commands.tasks import drawn_samples
from experiments.data import formants, speech
from experiments.tasks.base import SPLITS
from experiments.tasks.loading import places
from experiments.tasks.loading.find import make
from experiments.tasks.loading.memoryless import discriminant
from experiments.tasks.spoken_digits import SpokenDigits

STATES = 6  # a pause, four vowels, a pause


@pytest.fixture
def sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return sound_folder(tmp_path / "sounds")


def test_the_arrays_of_a_folder(sounds: Path) -> None:
    task = make("spoken_digits", {"source": "sounds"})
    assert (task.features, task.outputs, task.padding, task.steps) == (26, 2, -9, 8)
    x, y = task.split("train", 0)
    assert x.shape == (12, 8, 26) and sorted(y.tolist()) == [0] * 6 + [1] * 6
    real = (x != -9).any(axis=2)
    assert sorted(real.sum(axis=1).tolist()) == [7] * 6 + [8] * 6
    assert (x[~real] == -9).all() and (np.diff(real.astype(int), axis=1) <= 0).all(), "padding is behind the end alone"
    frames = x[real].astype(np.float64)
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(frames.std(axis=0), 1, atol=0.01)
    card = task.preprocessing()
    assert card["classes"] == ["high", "low"] and card["padding"] == -9
    clip = speech.load("sounds", 30)["val"][0]
    own = (clip.frames - np.array(card["mean"])) / np.array(card["deviation"])
    np.testing.assert_allclose(task.split("val", 0)[0][0, : len(own)], own.clip(-8, 8), atol=1e-5)


def test_no_real_frame_is_padding(sounds: Path) -> None:
    """One clip is silent: its bands lie far below the mean of the others."""
    task = make("spoken_digits", {"source": "sounds"})
    splits = speech.load("sounds", 30)
    silent = speech.Clip(np.full((7, 26), -1e4, np.float32), "low", "eve")
    vars(task)["_clips"] = {**splits, "val": [silent]}
    x, _ = task.split("val", 0)
    assert (x[0, :7] == -8).all() and (x[0, 7:] == -9).all()


def test_the_first_clips_alone(sounds: Path) -> None:
    few = make("spoken_digits", {"source": "sounds", "train": "5", "val": "2"})
    assert [len(few.split(name, 0)[0]) for name in SPLITS] == [5, 2, 4]
    with pytest.raises(ValueError, match=r"^val: expected at most the 4 clips of sounds, got 5$"):
        make("spoken_digits", {"source": "sounds", "val": "5"}).split("train", 0)


@pytest.mark.parametrize(
    ("source", "licence"), [("synthetic", "generated"), ("espeak", "GPL"), ("fsdd", "CC BY-SA 4.0"), ("mine", "")]
)
def test_the_licence_is_that_of_the_source(source: str, licence: str) -> None:
    assert licence in SpokenDigits(source=source).licence and bool(licence) is bool(SpokenDigits(source=source).licence)


def real_frames(x: np.ndarray) -> list[np.ndarray]:
    return [row[(row != -9).any(axis=1)] for row in x]


def least_cost(costs: np.ndarray) -> float:
    """The least sum of costs `(time, states)` on a way through all states in order."""
    total = np.full(STATES, np.inf)
    total[:2] = costs[0, :2]
    for step in costs[1:]:
        total = np.minimum(total, np.concatenate([[np.inf], total[:-1]])) + step
    return float(total[-2:].min())  # a clip may end with the word


def cut(clip: np.ndarray) -> np.ndarray:
    """The state of each frame, if four equally long vowels lie between the first loud frame and the last."""
    loud = clip.mean(axis=1)
    first, last = np.flatnonzero(loud > (loud.min() + loud.max()) / 2)[[0, -1]]
    at = np.arange(len(clip))
    return np.where(at < first, 0, np.where(at > last, 5, 1 + (at - first) * 4 // (last + 1 - first)))


def test_who_knows_the_order_of_the_vowels_recognises_the_words() -> None:
    """Learns how a pause and each vowel sound from where they may be, and looks for the word that fits a clip best."""
    task = make("spoken_digits", {"train": "200", "val": "100"})
    (x, y), (x_val, y_val) = (task.split(name, 0) for name in ("train", "val"))
    pause = len(formants.VOWELS)
    words = [[pause, *word, pause] for word in formants.spelled().tolist()]
    frames = np.concatenate(real_frames(x))
    heard = np.concatenate([np.array(words[word])[cut(clip)] for clip, word in zip(real_frames(x), y, strict=True)])
    means, spread = (np.stack([part(frames[heard == one], axis=0) for one in range(5)]) for part in (np.mean, np.var))
    answers = []
    for clip in real_frames(x_val):
        costs = ((clip[:, None] - means) ** 2 / spread + np.log(spread)).sum(axis=2)
        answers.append(int(np.argmin([least_cost(costs[:, word]) for word in words])))
    right = float(np.mean(np.array(answers) == y_val))
    assert right > 0.9 > make("spoken_digits", {}).floors()["stretched"] > 0.6


def test_each_floor_knows_more() -> None:
    floors = make("spoken_digits", {}).floors()
    assert list(floors) == ["most_frequent", "last_frame", "mean_frame", "stretched"]
    assert sorted(floors.values()) == list(floors.values())
    assert floors["most_frequent"] == pytest.approx(0.1)
    assert floors["last_frame"] < 0.2, "the last frame says little"
    assert make("spoken_digits", {}).solved == floors["stretched"] < 0.9


def test_the_last_frame_and_the_mean_frame() -> None:
    task = make("spoken_digits", {})
    (x, y), (x_val, y_val) = (task.split(name, 0) for name in ("train", "val"))
    clips, asked = real_frames(x), real_frames(x_val)
    ends = np.stack([clip[-1] for clip in clips])
    means = [ends[y == word].mean(axis=0) for word in range(10)]
    nearest = [int(np.argmin([((clip[-1] - mean) ** 2).sum() for mean in means])) for clip in asked]
    floors = task.floors()
    assert floors["last_frame"] == pytest.approx(np.mean(nearest == y_val))
    views = [np.stack([clip.mean(axis=0) for clip in part]) for part in (clips, asked)]
    targets = np.linalg.lstsq(np.column_stack([views[0], np.ones(len(y))]), np.eye(10)[y], rcond=None)[0]
    squares = np.column_stack([views[1], np.ones(len(y_val))]) @ targets  # another linear model of the same
    assert floors["mean_frame"] == pytest.approx(np.mean(squares.argmax(axis=1) == y_val), abs=0.1)


def test_a_linear_discriminant_is_scikit_learns() -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rng = np.random.default_rng(0)
    y = np.repeat([3, 5, 8], 40)
    mixed = rng.normal(size=(6, 6))
    x, asked = ((rng.normal(size=(len(y), 6)) + 0.8 * np.eye(9)[y][:, 3:]) @ mixed for _ in range(2))
    share = 6 / len(y)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=share / (1 + share)).fit(x, y)
    found = discriminant(x, y, asked)
    assert np.mean(found == model.predict(asked)) > 0.98 and 0.4 < np.mean(found == y) < 0.95


def test_a_sample_is_printed_and_drawn(recurrent: Recurrent, sounds: Path) -> None:
    folder = sounds.parent
    done = recurrent("tasks", "spoken_digits", "-o", "source=sounds", "--show", "2", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n\nwritten: spoken_digits-0.png, spoken_digits-1.png\n")
    block = done.stdout.split("\n\n")[-3]
    assert block.startswith("x ") and len(block.splitlines()) == 27 and block.splitlines()[-1] in ("y low", "y high")
    for number in range(2):
        assert (folder / f"spoken_digits-{number}.png").read_bytes().startswith(b"\x89PNG\r\n")
    told = recurrent("tasks", "spoken_digits", "-o", "source=sounds", "--show", "1", "--json", cwd=folder)
    assert json.loads(told.stdout)["pictures"] == ["spoken_digits-0.png"]
    (folder / "spoken_digits-0.png").unlink()
    (folder / "spoken_digits-0.png").mkdir()
    with pytest.raises(
        ValueError, match=r"^--show: expected to write spoken_digits-0\.png in this folder, got Is a directory$"
    ):
        drawn_samples("spoken_digits", 1, {"source": "sounds"})


def test_a_folder_is_found_where_the_search_has_moved(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"source": "sounds"}
    assert places.absolute("spoken_digits", options) == ("spoken_digits", {"source": str(sounds)})
    assert places.portable("spoken_digits", {"source": str(sounds)}, "source") == ("spoken_digits", options)
    moved = sounds.parent / "moved"
    moved.mkdir()
    sounds.rename(moved / "sounds")
    assert places.sources("spoken_digits", {"source": str(sounds)}, (moved,)) == [
        ("spoken_digits", {"source": str(moved / "sounds")})
    ]
    assert places.absolute("spoken_digits", {"source": "fsdd"}) == ("spoken_digits", {"source": "fsdd"})
    monkeypatch.chdir(moved)
    (moved / "fsdd").mkdir()
    assert places.portable("spoken_digits", {"source": str(moved / "fsdd")}, "source")[1] == {"source": "./fsdd"}
