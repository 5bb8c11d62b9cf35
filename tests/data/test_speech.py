"""Each source of clips: the words of synthetic speech, a program, packages, an archive from a server, a folder."""

import gzip
import io
import shutil
import tarfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from support.downloads import Server, server  # noqa: F401  a fixture
from support.sounds import recordings, sound_folder, tone, wav

from experiments.data import espeak, formants, speech
from experiments.data import recordings as recorded
from experiments.data.spectrograms import log_mel

SPEAKERS = ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"]
DIGITS = {str(digit): 300 + 200 * digit for digit in range(10)}


@pytest.fixture(autouse=True)
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few clips, and a cache of its own."""
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(speech, "CLIPS", 5)
    speech._known.cache_clear()
    yield
    speech._known.cache_clear()


def failure(source: str, voices: int = 30) -> str:
    with pytest.raises(ValueError) as error:
        speech.load(source, voices)
    assert "\n" not in str(error.value)
    return str(error.value)


def voices_of(splits: dict[str, list[speech.Clip]]) -> list[set[str]]:
    return [{clip.voice for clip in splits[name]} for name in ("train", "val", "test")]


def test_words_have_the_same_vowels_in_other_orders() -> None:
    words = formants.spelled()
    assert [sorted(word) for word in words.tolist()] == [[0, 1, 2, 3]] * 10
    assert len({tuple(word) for word in words.tolist()}) == 10


def test_a_voice_does_not_depend_on_how_many_there_are() -> None:
    few, many = (list(formants.clips(voices, 1)) for voices in (1, 2))
    assert [word for _, word, _ in many] == [*range(10)] * 2
    assert all(np.array_equal(one[0], other[0]) for one, other in zip(few, many, strict=False))
    assert not any(len(one[0]) == len(other[0]) for one, other in zip(few, many[10:], strict=True))


def test_a_vowel_rings_at_its_formants() -> None:
    voice = formants.Voice(pitch=100, mouth=1.0, slowness=1.0, noise=1e-4, brightness=0.9)
    heard = []
    for vowel in formants.VOWELS:
        rng = np.random.default_rng(0)
        samples = np.concatenate([formants.say(rng, np.stack([vowel] * 4), voice) for _ in range(8)])
        power = np.abs(np.fft.rfft(samples)) ** 2
        hertz = np.fft.rfftfreq(len(samples), 1 / formants.RATE)
        heard.append([power[abs(hertz - formant) < 80].mean() for formant in formants.VOWELS[:, :2].ravel()])
    for place, vowel in enumerate(np.array(heard)):
        own = vowel[2 * place : 2 * place + 2]
        assert own.min() > 2 * np.median(vowel), "both of its own are loud"


def test_a_fifth_of_the_voices_is_held_out() -> None:
    splits = speech.load("synthetic", 5)
    train, val, test = voices_of(splits)
    assert (len(train), len(val), len(test)) == (3, 1, 1) and not (train & val or train & test or val & test)
    assert [len(splits[name]) for name in speech.PARTS] == [30, 10, 10]
    assert {clip.label for clip in splits["val"]} == set("0123456789")
    assert [len(own) for own in voices_of(speech.load("synthetic", 12))] == [8, 2, 2]


def test_a_folder(tmp_path: Path) -> None:
    folder = sound_folder(tmp_path / "sounds")
    splits = speech.load(str(folder), 30)
    train, val, test = voices_of(splits)
    assert sorted(train | val | test) == ["ada", "bob", "cyd", "dan", "eve"] and len(train) == 3
    (clip,) = (clip for clip in splits["val"] if clip.label == "low" and len(clip.frames) == 7)
    np.testing.assert_allclose(clip.frames, log_mel(tone(300), 8_000), atol=0.05)
    assert [len(own) for own in voices_of(speech.load(str(folder), 3))] == [1, 1, 1]


def test_a_folder_without_voices_is_drawn_by_clips(tmp_path: Path) -> None:
    for take in range(10):
        (tmp_path / f"yes_{take}.WAV").write_bytes(wav(tone(300)))
        (tmp_path / f"no_{take}.wav").write_bytes(wav(tone(900), 8_000))
    (tmp_path / "README.txt").write_text("mine")
    splits = speech.load(str(tmp_path), 30)
    assert [len(splits[name]) for name in speech.PARTS] == [16, 2, 2]


def test_a_folder_with_something_else(tmp_path: Path) -> None:
    known = "synthetic, espeak, japanese-vowels, fsdd, or a folder of files LABEL_….wav"
    assert failure("fsd") == f"source: expected {known}, got 'fsd', which does not exist; did you mean 'fsdd'?"
    assert failure(__file__) == f"source: expected {known}, got {__file__!r}, which is no folder"
    assert failure(str(tmp_path)) == f"source: expected files LABEL_….wav in {tmp_path}, got none"
    file = tmp_path / "seven.wav"
    file.write_bytes(wav(tone(300)))
    assert failure(str(tmp_path)) == f"source: expected files with names LABEL_….wav, got {file}"
    file.rename(tmp_path / "7_a.wav")
    assert failure(str(tmp_path)) == "source: expected 10 clips or more to split 80/10/10, got 1"
    broken = tmp_path / "8_b.wav"
    broken.write_bytes(b"RIFF")
    assert failure(str(tmp_path)).startswith(f"source: expected a WAV file of whole numbers, got {broken}")


def test_labels_of_a_folder(tmp_path: Path) -> None:
    for name, content in recordings({"7": 300}, ["a", "b", "c"], 1).items():
        (tmp_path / name).write_bytes(content)
    assert failure(str(tmp_path)) == "source: expected clips of two labels or more, got 7 alone"
    sounds = sound_folder(tmp_path / "sounds")
    (voice,) = voices_of(speech.load(str(sounds), 30))[1]
    (sounds / f"new_{voice}_0.wav").write_bytes(wav(tone(300)))
    line = f"source: expected every label in a training clip, got 'new' in val alone, of the voice {voice!r}"
    assert failure(str(sounds)) == line


@pytest.fixture
def fsdd(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:  # noqa: F811
    """A server with a small archive of the form of GitHub's."""
    server.body = archive(recordings(DIGITS, SPEAKERS, 1))
    monkeypatch.setattr(recorded, "FSDD_URL", server.url)
    return server


def archive(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    members = {**{f"recordings/{name}": data for name, data in files.items()}, "acquire/a.wav": b""}
    with tarfile.open(fileobj=content, mode="w") as tarred:
        for name, data in members.items():
            entry = tarfile.TarInfo(f"free-spoken-digit-dataset-26eb9aaf/{name}")
            entry.size = len(data)
            tarred.addfile(entry, io.BytesIO(data))
    return gzip.compress(content.getvalue(), mtime=0)


def test_fsdd_is_downloaded_once_and_split_by_speaker(fsdd: Server, tmp_path: Path) -> None:
    splits = speech.load("fsdd", 30)
    assert [len(splits[name]) for name in speech.PARTS] == [40, 10, 10]
    train, val, test = voices_of(splits)
    assert sorted(train | val | test) == SPEAKERS and len(val) == len(test) == 1
    speech._known.cache_clear()
    speech.load("fsdd", 30)
    assert len(fsdd.asked) == 1
    assert (tmp_path / "cache" / "downloads" / "free-spoken-digit-dataset.tar.gz.sha256").exists()


@pytest.mark.parametrize(
    ("body", "got"), [(b"<html>", "not a gzip file"), (archive({}), "no file recordings/*.wav")], ids=["html", "empty"]
)
def test_an_archive_with_something_else(fsdd: Server, body: bytes, got: str) -> None:
    fsdd.body = body
    line = failure("fsdd")
    assert line.startswith("source: expected the recordings of fsdd in ")
    assert line.endswith(f"got {got}; delete it, and the .sha256 beside it, to download it again")


def utterance(speaker: int, steps: int) -> str:
    return ":".join(",".join([f"{channel + speaker / 100}"] * steps) for channel in range(12)) + f":{speaker}"


def package(folder: Path, name: str) -> Path:
    """A package that fails if it is imported, with two files of the form of its data."""
    data = folder / name / "datasets" / "data" / "JapaneseVowels"
    data.mkdir(parents=True)
    (folder / name / "__init__.py").write_text("raise SystemExit('imported')")
    for part, count in (("TRAIN", 8), ("TEST", 3)):
        lines = [utterance(speaker, 7 + number) for speaker in range(1, 10) for number in range(count)]
        (data / f"JapaneseVowels_{part}.ts").write_text("#A UCI set\n@data\n" + "\n".join(lines) + "\n")
    return data


@pytest.mark.parametrize("name", ["aeon", "sktime"])
def test_japanese_vowels_are_read_from_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("experiments.data.japanese_vowels.PACKAGES", (name,))
    data = package(tmp_path, name)
    monkeypatch.syspath_prepend(str(tmp_path))
    splits = speech.load("japanese-vowels", 30)
    assert [len(splits[part]) for part in speech.PARTS] == [18, 54, 27]
    assert {clip.label for clip in splits["val"]} == set("123456789")
    clip = min((clip for clip in splits["test"] if clip.label == "3"), key=lambda clip: len(clip.frames))
    np.testing.assert_allclose(clip.frames, np.tile(np.arange(12) + 0.03, (7, 1)), atol=1e-6)
    (data / "JapaneseVowels_TEST.ts").write_text("@data\n1,x:1\n")
    speech._known.cache_clear()
    assert failure("japanese-vowels").startswith("source: expected the utterances of JapaneseVowels in ")


def test_no_package_has_japanese_vowels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.data.japanese_vowels.PACKAGES", ("no_such_package",))
    line = "source: expected a package with the data of japanese-vowels, got none: pip install --no-deps aeon"
    assert failure("japanese-vowels") == line


@pytest.mark.skipif(not find_spec("aeon"), reason="aeon is not installed: pip install --no-deps aeon")
def test_the_real_japanese_vowels() -> None:
    splits = speech.load("japanese-vowels", 30)
    assert [len(splits[part]) for part in speech.PARTS] == [216, 54, 370]
    lengths = [len(clip.frames) for clips in splits.values() for clip in clips]
    assert (min(lengths), max(lengths)) == (7, 29)


SCRIPT = """#!/bin/sh
echo "$@" >> {log}
case "$1" in --version) echo "eSpeak NG text-to-speech: 1.51  Data at: /usr" ;; *) {speaks} ;; esac
"""


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, speaks: str) -> Path:
    """A program espeak-ng that does as it is told. Returns the file with the words of each call."""
    log = folder / "calls.txt"
    (folder / "tone.wav").write_bytes(wav(tone(300, rate=22_050), 22_050))
    (folder / "silence.wav").write_bytes(wav(np.zeros(2_205), 22_050))
    (folder / "espeak-ng").write_text(SCRIPT.format(log=log, speaks=speaks.format(folder=folder)))
    (folder / "espeak-ng").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return log


def test_espeak_speaks_once_and_its_frames_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = program(tmp_path, monkeypatch, "cat {folder}/tone.wav")
    first = speech.load("espeak", 5)
    assert [len(first[name]) for name in speech.PARTS] == [30, 10, 10]
    calls = [line.split() for line in log.read_text().splitlines() if "--stdout" in line]
    assert len(calls) == 50 and len({words[1] for words in calls}) == 5
    assert {words[-1] for words in calls} == set(espeak.WORDS)
    assert all(80 <= int(words[3]) <= 400 and 0 <= int(words[5]) <= 99 for words in calls)
    speech._known.cache_clear()
    again = speech.load("espeak", 5)
    assert len([line for line in log.read_text().splitlines() if "--stdout" in line]) == 50
    assert all(np.array_equal(one.frames, other.frames) for one, other in zip(first["val"], again["val"], strict=True))
    for kept in (tmp_path / "cache" / "speech").iterdir():
        kept.write_bytes(b"damaged")
    speech._known.cache_clear()
    assert len(speech.load("espeak", 5)["train"]) == 30


@pytest.mark.parametrize(
    ("speaks", "line"),
    [
        ("cat {folder}/silence.wav", r"source: expected samples from espeak-ng, got silence for Sentence\(.*"),
        ("true", "source: expected a WAV file of whole numbers, got espeak-ng .*: it ends"),
        ("echo No such voice >&2; exit 1", "source: expected espeak-ng -v .* to speak, got: No such voice"),
    ],
    ids=["silence", "nothing", "failure"],
)
def test_espeak_that_does_not_speak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speaks: str, line: str) -> None:
    program(tmp_path, monkeypatch, speaks)
    with pytest.raises(ValueError, match=f"^{line}$"):
        speech.load("espeak", 3)


def test_espeak_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    line = "source: expected the program espeak-ng, which is not installed: apt-get install espeak-ng"
    assert failure("espeak") == line
    assert failure("espeak", 129) == "voices: expected at most the 128 of espeak-ng, got 129"


@pytest.mark.skipif(not shutil.which("espeak-ng"), reason="espeak-ng is not installed")
def test_the_real_espeak_says_ten_different_digits() -> None:
    assert espeak.version().startswith("eSpeak NG")
    heard = [espeak.speak(espeak.Sentence(digit, "en-gb+m1", 150, 50, 0.01)) for digit in range(10)]
    assert all(rate == 22_050 and 0.2 < len(samples) / rate < 2 for samples, rate in heard)
    assert len({samples.tobytes() for samples, _ in heard}) == 10
    again = espeak.speak(espeak.Sentence(3, "en-gb+m1", 150, 50, 0.01))
    assert np.array_equal(again[0], heard[3][0])
