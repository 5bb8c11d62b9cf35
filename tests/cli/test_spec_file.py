"""A search as a file: it means what the typed options mean, and what is printed of a search repeats it."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support.refusals import check_refusal, refused
from support.searching import NotRefused, Recurrent, Searched

from experiments.cli import main as cli
from experiments.cli.spec_file import NO_KEYS, keys, text
from experiments.config.spec import FOUND, Spec
from experiments.launcher import settings
from experiments.launcher.launch import Launch
from experiments.tasks.loading import find
from tracking.searches import spec_of

FILE = """
task = "adding"               # a comment
cells = ["lstm", "gru"]
depth = 2
width = [32, 64]
learning_rate = 1e-3
residual = "no,yes"
mixed = true
recipe = false
epochs = 3
trials = "5"
seed = 7
workers = 1
target = 0.01

[options]
length = 20
train = "64"
variant = "anywhere"
"""
TYPED = (
    *("adding", "--cells", "lstm,gru", "--depth", "2", "--width", "32,64", "--learning-rate", "0.001"),
    *("--residual", "no,yes", "--mixed", "--epochs", "3", "--trials", "5", "--seed", "7", "--target", "0.01"),
    *("-o", "length=20", "-o", "train=64", "-o", "variant=anywhere", "--workers", "1"),
)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Launch]:
    """The searches that would begin."""
    found: list[Launch] = []

    def run(launch: Launch) -> str:
        found.append(launch)
        raise NotRefused

    monkeypatch.setattr(Launch, "run", run)
    return found


def begins(recurrent: Recurrent, begun: list[Launch], folder: Path, *words: str) -> Launch:
    with pytest.raises(NotRefused):
        recurrent("search", *words, cwd=folder)
    return begun[-1]


def write(folder: Path, content: str) -> None:
    (folder / "study.toml").write_text(content, "utf-8")


def test_a_file_means_what_its_options_mean(recurrent: Recurrent, begun: list[Launch], tmp_path: Path) -> None:
    write(tmp_path, FILE)
    ours = begins(recurrent, begun, tmp_path, "--spec", "study.toml", "--name", "s")
    typed = begins(recurrent, begun, tmp_path, *TYPED, "--name", "s")
    assert ours.spec == typed.spec and ours.where.workers == typed.where.workers == 1
    assert (ours.spec.options["length"], ours.spec.cells, ours.spec.mixed) == ("20", ["lstm", "gru"], True)


def test_typed_words_go_before_the_file(recurrent: Recurrent, begun: list[Launch], tmp_path: Path) -> None:
    write(tmp_path, FILE)
    words = ("--epochs", "9", "parity", "-o", "length=8", "--spec", "study.toml", "--width", "16")
    write(tmp_path, FILE.replace('variant = "anywhere"', ""))
    spec = begins(recurrent, begun, tmp_path, *words).spec
    assert (spec.task, spec.epochs, spec.width, spec.options["length"]) == ("parity", 9, "16", "8")
    assert (spec.depth, spec.seed, spec.options["train"]) == ("2", 7, "64"), "the rest is that of the file"


def test_every_option_is_a_key(recurrent: Recurrent, begun: list[Launch], tmp_path: Path) -> None:
    """Whatever options the command has: each is taken from a file."""
    parser = cli.parser()[1]["search"]
    flags = {action.dest for action in parser._actions} - set(NO_KEYS)
    assert set(keys(parser)) == flags and {"task", "options", "budget", "name", "resume", "tracking_uri"} <= flags
    switches = [key for key, action in keys(parser).items() if action.nargs == 0]
    write(tmp_path, 'task = "adding"\nname = "s"\n' + "".join(f"{key} = true\n" for key in switches))
    spec = begins(recurrent, begun, tmp_path, "--spec", "study.toml").spec
    assert all(getattr(spec, key) is True for key in switches if hasattr(spec, key)) and begun[-1].resume


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("widht = 3", ("study.toml: widht: ", "unknown", "did you mean 'width'?")),
        ("learning-rate = 3", ("learning-rate: ", "did you mean 'learning_rate'?")),
        ("spec = 'other.toml'", ("study.toml: spec: ", "unknown")),
        ("epochs = true", ("study.toml: epochs: expected", "'True'")),
        ("epochs = 'ten'", ("study.toml: epochs: expected a whole number from 1", "'ten'")),
        ("epochs = 1.5", ("study.toml: epochs: expected a whole number", "'1.5'")),
        ("epochs = 0", ("study.toml: epochs: expected a whole number from 1", "'0'")),
        ("mixed = 'yes'", ("study.toml: mixed: expected true or false", "'yes'")),
        ("width = {from = 1}", ("study.toml: width: expected a text, a number or a list", "from")),
        ("width = [[16]]", ("study.toml: width: expected a text, a number or a list", "[[16]]")),
        ("width = 2026-01-01", ("study.toml: width: expected a text", "2026-01-01")),
        ("width = '0'", ("study.toml: width: expected A:B", "'0'")),
        ("cells = ['lsmt']", ("study.toml: cells: expected some of", "did you mean 'lstm'?")),
        ("name = 'a/b'", ("study.toml: name: expected 1 to 100 letters", "'a/b'")),
        ("workers = 'two'", ("--workers", "'two'")),
        ("budget = 'soon'", ("study.toml: budget: expected a duration", "'soon'")),
        ("budget = '5m'\ntrials = 3", ("study.toml: trials: expected none with --budget", "3")),
        ("options = 3", ("study.toml: options: expected a table, [options]", "'3'")),
        ("[options]\nlenght = 3", ("study.toml: [options] lenght: expected one of length", "did you mean 'length'?")),
        ("[options]\nlength = [3]", ("study.toml: [options] length: expected a text, a number", "'[3]'")),
        ("[options]\nlength = 'many'", ("study.toml: [options] length: expected a whole number", "'many'")),
        ("[options]\nlength = 1", ("study.toml: [options] length: expected 2 or more", "1")),
        ("[options]\ntrials = 3", ("study.toml: [options] trials: ", "it belongs above [options]")),
        ("[options]\n'' = 3", ("study.toml: [options]: expected the name of an option", "''")),
        ("[options]\n'a=b' = 3", ("study.toml: [options]: expected the name", "'a=b'")),
        ("[training]\nepochs = 3", ("study.toml: training: ", "unknown")),
        ("cells = [", ("study.toml: expected a file in TOML", "line 2")),
        ("cells = 'lstm'\n\nwidth 3", ("study.toml: expected a file in TOML", "line 4, column")),
        ("seed = 1\nseed = 2", ("study.toml: expected a file in TOML", "line 3")),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_a_file_that_cannot_be(recurrent: Recurrent, tmp_path: Path, content: str, expected: tuple[str, ...]) -> None:
    write(tmp_path, f'task = "adding"\n{content}\n')
    check_refusal(recurrent, tmp_path, ("search", "--spec", "study.toml"), *expected)


def test_a_mistake_that_was_typed_is_not_blamed_on_the_file(recurrent: Recurrent, tmp_path: Path) -> None:
    write(tmp_path, FILE)
    for words, start in ((("--depth", "0"), "--depth: "), (("-o", "length=1"), "length: "), (("nope",), "task: ")):
        done = recurrent("search", "--spec", "study.toml", *words, cwd=tmp_path)
        refused(done)
        assert done.stderr.startswith(f"recurrent search: {start}")


def test_no_file_and_no_task(recurrent: Recurrent, tmp_path: Path) -> None:
    check_refusal(recurrent, tmp_path, ("search", "--spec", "none.toml"), "--spec", "'none.toml'", "No such file")
    check_refusal(recurrent, tmp_path, ("search", "--spec", "."), "--spec", "directory")
    (tmp_path / "latin1.toml").write_bytes("task = 'Ä'".encode("latin-1"))
    check_refusal(recurrent, tmp_path, ("search", "--spec", "latin1.toml"), "latin1.toml", "UTF-8", "byte 8")
    write(tmp_path, "trials = 3")
    check_refusal(recurrent, tmp_path, ("search", "--spec", "study.toml"), "TASK", "none")


def equal(one: Spec, other: Spec) -> bool:
    """Whether two searches are the same but for their names, and what is found out when they begin."""
    unnamed = [dataclasses.replace(spec, name="", digest="", code={}, id="") for spec in (one, other)]
    return unnamed[0] == unnamed[1]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--oracle", "grid", "--learning-rate", "0.001,0.01", "--dropout", "0"),
        ("--recipe", "--clip", "0.25,1", "--no-horizon", "--patience", "3"),
        ("--budget", "1h30m", "--target", "0.001"),
        ("--mixed", "--cells", "lstm", "--time-limit", "45m", "--memory-limit", "4G", "--allocate", "equal"),
    ],
    ids=" ".join,
)
def test_a_printed_file_gives_the_same_search(
    recurrent: Recurrent, begun: list[Launch], tmp_path: Path, words: tuple[str, ...]
) -> None:
    spec = begins(recurrent, begun, tmp_path, "adding", "-o", "length=20", *words).spec
    write(tmp_path, text(spec.facts(), cli.parser()[1]["search"]))
    again = begins(recurrent, begun, tmp_path, "--spec", "study.toml").spec
    assert equal(spec, again) and spec != dataclasses.replace(again, seed=again.seed + 1)
    assert set(FOUND) == {"reading", "digest", "code", "id"} and again.reading == spec.reading


def test_texts_that_need_quotes_come_back(recurrent: Recurrent, begun: list[Launch], tmp_path: Path) -> None:
    name = 'a "b" \\c\x7f é.txt'
    (tmp_path / name).write_text("The cell forgets. " * 300, "utf-8")
    spec = begins(recurrent, begun, tmp_path, "char_lm", "-o", f"corpus={name}").spec
    printed = text(spec.facts(), cli.parser()[1]["search"])
    assert tomllib.loads(printed)["options"]["corpus"] == name
    write(tmp_path, printed)
    assert equal(spec, begins(recurrent, begun, tmp_path, "--spec", "study.toml").spec)


def test_results_print_the_file_of_a_search(
    recurrent: Recurrent, begun: list[Launch], searched: Searched, tmp_path: Path
) -> None:
    done = recurrent("results", "t", "--spec", "--tracking-uri", searched.uri, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# The search t.") and "name =" not in done.stdout
    found: dict[str, Any] = tomllib.loads(done.stdout)
    assert (found["task"], found["trials"], found["options"]["length"]) == ("adding", 6, 50)
    write(tmp_path, done.stdout)
    spec = begins(recurrent, begun, tmp_path, "--spec", "study.toml").spec
    assert equal(spec, Spec.of(spec_of(searched.parent)))
    check_refusal(recurrent, searched.folder, ("results", "--spec"), "--spec", "NAME")


def test_an_old_search_is_printed_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its spec lacks fields of today, which have the values that mean what it did."""
    monkeypatch.chdir(tmp_path)
    old = {"name": "old", "task": "adding", "options": {"length": "20"}, "cells": ["gru"], "trials": 4}
    printed = text(old, cli.parser()[1]["search"])
    found = tomllib.loads(printed)
    assert found["allocate"] == "best" and "An earlier version made it" in printed
    fields = {key: found[key] for key in ("cells", "trials", "allocate")}
    spec, task = settings.search_spec("adding", {"length": "20"}, "new", **fields)
    assert equal(dataclasses.replace(spec, options=old["options"], reading=1), Spec.of(old))  # type: ignore[arg-type]
    assert type(task) is find.task_class("adding")
