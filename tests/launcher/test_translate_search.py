"""A search on a task with a source, as users run it: both halves, attention as a hyperparameter, decoding."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cards import checked_card
from support.searching import Recurrent, Searched, run

SEARCH = (
    *("search", "translate", "-o", "digits=2", "-o", "train=400", "-o", "val=60", "-o", "test=60", "--cells", "gru"),
    *("--depth", "1", "--width", "32", "--learning-rate", "0.01", "--batch", "32", "--oracle", "grid"),
    *("--epochs", "6", "--workers", "1", "--seed", "0", "--name", "numbers"),
)
SECONDS = 600  # on a busy machine


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    folder = tmp_path_factory.mktemp("numbers").resolve()
    done = run(*SEARCH, cwd=folder, seconds=SECONDS)
    assert (done.returncode, done.stderr) == (0, ""), done
    export = run("export", "numbers", "--to", "best", "--format", "all", cwd=folder, seconds=SECONDS)
    assert export.returncode == 0, export
    yield Searched(folder, "numbers", done, export)


def test_attention_is_a_hyperparameter_like_others(numbers: Searched) -> None:
    assert "numbers: translate, gru; space: 2 models" in numbers.done.stdout
    trials = numbers.results()["trials"]
    assert {trial["architecture"] for trial in trials} == {"gru-32+att", "gru-32"}
    assert {trial["values"]["attention"] for trial in trials} == {"dot", "none"}
    assert all(trial["horizon"]["task_lag"] > 20 for trial in trials), "of the encoder"


def test_mlflow_has_what_a_beam_writes(numbers: Searched) -> None:
    for trial in numbers.trials():
        measured = {key: value for key, value in trial.data.metrics.items() if key.startswith("samples/")}
        assert set(measured) == {f"samples/{name}" for name in ("exact_of_beam_5", "right_among_5", "edit_distance")}
        assert measured["samples/exact_of_beam_5"] <= measured["samples/right_among_5"]
        assert measured["samples/edit_distance"] >= 0


def test_the_export_translates_with_and_without_this_project(numbers: Searched, recurrent: Recurrent) -> None:
    card = checked_card(numbers.folder / "best")
    assert card["preprocessing"]["units"] == ["characters", "words"] and card["metric"] == "exact"
    done = recurrent("translate", "best", "elf", cwd=numbers.folder)
    assert (done.returncode, done.stderr) == (0, "")
    for form in ("keras", "savedmodel"):
        words = [sys.executable, "-I", "best/predict.py", "--text", "elf", "--format", form]
        there = subprocess.run(words, cwd=numbers.folder, capture_output=True, text=True)
        assert (there.returncode, there.stdout) == (0, done.stdout), there.stderr


def test_formats_that_cannot_hold_both_halves_say_so(numbers: Searched) -> None:
    assert numbers.export and set(checked_card(numbers.folder / "best")["formats"]) == {"keras", "savedmodel"}
    for form in ("onnx", "litert"):
        assert f"recurrent export: {form} is not written: it has an encoder and a decoder" in numbers.export.stderr


def test_several_translations_of_each_source(numbers: Searched, recurrent: Recurrent) -> None:
    done = recurrent("translate", "best", "elf", "--beam", "4", "--top", "3", "--json", cwd=numbers.folder)
    found = json.loads(done.stdout)
    shares = [one["log_probability"] for one in found["translations"]]
    assert found["source"] == "elf" and len(shares) == 3 and shares == sorted(shares, reverse=True)
    best = recurrent("translate", "best", "elf", "--beam", "4", cwd=numbers.folder)
    assert best.stdout.splitlines() == [found["translations"][0]["text"]]


def test_a_figure_of_what_is_looked_at(numbers: Searched, recurrent: Recurrent) -> None:
    attends = checked_card(numbers.folder / "best")["architecture"].endswith("+att")
    done = recurrent("translate", "best", "elf", "--plot", "seen.png", cwd=numbers.folder)
    assert done.returncode == (0 if attends else 2)
    assert attends == ((numbers.folder / "seen.png").exists() and (numbers.folder / "seen.png").stat().st_size > 5_000)


def translated_lines(folder: Path, given: bytes) -> subprocess.CompletedProcess[str]:
    """What `recurrent translate best --json` says of standard input."""
    code = f"import io, sys; sys.stdin = io.TextIOWrapper(io.BytesIO({given!r}))\n"
    code += "from experiments.cli.main import main; sys.exit(main())"
    return run("translate", "best", "--json", cwd=folder, code=code)


def test_each_line_of_standard_input_is_a_source(numbers: Searched) -> None:
    done = translated_lines(numbers.folder, "\ufeffelf\r\n\nzwölf\n".encode())
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["source"] for one in found] == ["elf", "", "zwölf"], done
    assert [len(one["translations"]) for one in found] == [1, 0, 1], "a blank line is answered by none"
    alone = translated_lines(numbers.folder, b"elf")
    assert json.loads(alone.stdout)["translations"][0]["text"] == found[0]["translations"][0]["text"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"elf\n" + b"x" * 99, "line 2: source: expected 1 to "),
        (b"z\xf6lf", "standard input: expected lines in UTF-8, got: 'utf-8' codec can't decode byte 0xf6"),
    ],
)
def test_a_bad_line_is_named(numbers: Searched, given: bytes, message: str) -> None:
    done = translated_lines(numbers.folder, given)
    assert done.returncode == 2 and done.stderr.startswith(f"recurrent translate: {message}"), done


def test_drawn_translations(numbers: Searched, recurrent: Recurrent) -> None:
    drawing = ("translate", "best", "elf", "--temperature", "2", "--top", "8")
    several, again, other = (
        recurrent(*drawing, "--seed", seed, cwd=numbers.folder).stdout.splitlines() for seed in ("1", "1", "2")
    )
    assert len(several) == 8 and len(set(several)) > 1 and several == again != other
    first = recurrent("translate", "best", "elf", cwd=numbers.folder).stdout
    assert recurrent("translate", "best", "elf", "--temperature", "0", cwd=numbers.folder).stdout == first


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["translate", "best", "elf", "--top", "2"], "--top: expected at most --beam, which is 1, got 2"),
        (["translate", "best", "elf", "--beam", "2", "--top-k", "3"], "--beam: expected 1, since symbols are drawn,"),
        (["translate", "best", "elf", "--temperature", "-1"], "temperature: expected a finite number from 0, got -1.0"),
        (["translate", "best", "--plot", "a.png"], "--plot: expected TEXT with it, got none"),
        (["translate", "none", "elf"], "none: expected the folder of an exported model, got no folder"),
        (["translate", "best", "x" * 99], "source: expected 1 to "),
        (["sample", "best"], "best: expected a language model, got one of the task 'translate'; `recurrent translate`"),
        (["search", "adding", "--attention", "dot"], "--attention: expected none for a task without a source"),
        (["search", "translate", "--attention", "luong"], "--attention: expected some of none, dot, got 'luong'"),
        (["search", "translate", "--residual", "yes"], "--residual: expected no for an encoder and a decoder"),
        (["search", "translate", "--bidirectional", "yes"], "--bidirectional: expected no for a task that is answered"),
    ],
)
def test_a_mistake_is_one_line(numbers: Searched, recurrent: Recurrent, words: list[str], message: str) -> None:
    done = recurrent(*words, cwd=numbers.folder)
    assert done.returncode == 2 and done.stderr.startswith(f"recurrent {words[0]}: {message}"), done
    assert done.stderr.count("\n") == 1
