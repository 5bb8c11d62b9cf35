"""`recurrent export --format all`: every file is checked in its own runtime, and the page says how to use it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cards import checked_card as card
from support.installed import only_with
from support.models import EXPORTED
from support.searching import Recurrent, Searched, run

from tracking.deploy import pack
from tracking.deploy.layers import CannotWrite

RUNTIMES = {"keras": "tensorflow", "litert": "ai-edge-litert", "onnx": "onnxruntime", "savedmodel": "tensorflow"}
FORMATS = tuple(RUNTIMES)
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def packed(searched: Searched, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(searched, tmp_path_factory.mktemp("packed"))


@pytest.fixture(scope="module")
def packed_language(language: Searched, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(language, tmp_path_factory.mktemp("packed"))


def exported(search: Searched, folder: Path) -> Path:
    words = ["export", search.name, "--to", str(folder / "all"), "--format", "all", "--tracking-uri", search.uri]
    done = run(*words, cwd=search.folder)
    assert done.returncode == 0, done.stderr
    for name in FORMATS:
        assert re.search(rf"\n{name}: .*, \d+ kB, ", done.stdout)
    return folder / "all"


def code_of(folder: Path, name: str) -> str:
    """The lines that the page has for a format."""
    page = (folder / "README.md").read_text("utf-8")
    (code,) = re.findall(rf"## Run it: {name}\n.*?```python\n(.*?)```", page, re.DOTALL)
    return str(code)


def answers(folder: Path, *words: str, given: str = "", python: str = sys.executable) -> str:
    """What predict.py prints, in a process that cannot import this project."""
    done = subprocess.run(
        [python, "-I", str(folder / "predict.py"), *words], input=given, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("which", ["packed", pytest.param("packed_language", marks=pytest.mark.slow)])
def test_all_formats_score_as_keras(request: pytest.FixtureRequest, which: str) -> None:
    for folder in [request.getfixturevalue(which)]:
        about = card(folder)
        assert sorted(about["formats"]) == sorted(FORMATS)
        for found in about["formats"].values():
            assert found["score"] == pytest.approx(found["score_of_keras"], rel=1e-5)
            assert 0 <= found["difference"] < 1e-5
            assert found["seconds"]["1"] > 0 and found["bytes"] > 1000 and found["peak_bytes"] > 2**20
            assert all((folder / file).exists() for file in found["files"])
        assert about["formats"]["keras"]["score"] == pytest.approx(about["rescored"], rel=1e-5)


def test_the_page_holds_what_was_measured(packed: Path) -> None:
    page, about = (packed / "README.md").read_text("utf-8"), card(packed)
    assert page.startswith(f"# {about['architecture']} for adding\n")
    for name, found in about["formats"].items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| {name} |")]
        assert all(f"`{file}`" in row for file in found["files"])
        assert f"| {found['score']:.6g} |" in row
        assert (packed / f"requirements-{name}.txt").read_text().splitlines()[-1].startswith("numpy==")
    assert f"| test | {about['test_score']:.4g} |" in page
    assert about["command"] in page and "{{" not in page


@pytest.mark.parametrize("names", [("onnx",), ("litert",), ("keras", "savedmodel")], ids=" ".join)
def test_the_code_on_the_page_runs(packed: Path, names: tuple[str, ...]) -> None:
    code = "\n".join(code_of(packed, name) for name in names)  # two formats need TensorFlow, which takes long to import
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=packed, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    import keras

    model = keras.models.load_model(packed / "model.keras", compile=False)
    wanted = np.asarray(model(np.ones((1, 20, 2), np.float32))).item()
    printed = [float(line.strip("[]")) for line in done.stdout.split()]
    assert printed == pytest.approx([wanted] * len(names), rel=1e-4)


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one == "onnx" else pytest.mark.slow) for one in FORMATS]
)
def test_the_code_runs_where_only_its_runtime_is(
    request: pytest.FixtureRequest, packed: Path, tmp_path: Path, name: str
) -> None:
    python = only_with(packed / f"requirements-{name}.txt", tmp_path)
    # With -I the current folder is not looked at: in a folder of this project setuptools may have left its name.
    listed = subprocess.run([python, "-I", "-m", "pip", "list", "--format", "json"], capture_output=True, check=True)
    present = {one["name"] for one in json.loads(listed.stdout)}
    assert present & {"recurrent-search", "tensorflow", "onnxruntime", "ai-edge-litert"} == {RUNTIMES[name]}
    here, there = (
        subprocess.run([one, "-I", "-c", code_of(packed, name)], cwd=packed, capture_output=True, text=True)
        for one in (sys.executable, python)
    )
    assert there.returncode == 0, there.stderr
    assert float(there.stdout.strip().strip("[]")) == pytest.approx(float(here.stdout.strip().strip("[]")), rel=1e-5)
    if name == "onnx":  # its test is not slow, and the export of a language model is
        return
    packed_language = request.getfixturevalue("packed_language")
    words = ("--text", "ab", "--length", "8", "--seed", "3", "--format", name)
    assert answers(packed_language, *words, python=python) == answers(packed_language, *words)


@pytest.mark.slow
def test_the_page_says_how_a_text_becomes_ids(packed_language: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (packed_language / "README.md").read_text("utf-8")
    (code,) = re.findall(r"## Text and ids\n.*?```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(packed_language)
    names: dict[str, Any] = {"np": np}
    exec(code.replace('"The "', '"ab"'), names)
    vocabulary = card(packed_language)["preprocessing"]["vocabulary"]
    assert [vocabulary[place] for place in names["x"][0]] == ["a", "b"]


def test_predictions_of_arrays_and_of_lines(packed: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.random((3, 7, 2)).astype(np.float32)
    np.save(tmp_path / "data.npy", x)
    lines = "\n".join(json.dumps(sequence.tolist()) for sequence in x)
    found = {name: answers(packed, str(tmp_path / "data.npy"), "--format", name) for name in FORMATS}
    found["lines"] = answers(packed, "-", given=lines)
    numbers = {name: [json.loads(line) for line in text.splitlines()] for name, text in found.items()}
    assert [len(row) for row in numbers["keras"]] == [1, 1, 1]
    for rows in numbers.values():
        np.testing.assert_allclose(rows, numbers["keras"], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_text_goes_on(packed_language: Path) -> None:
    words = ("--text", "ab", "--length", "8", "--seed", "3")
    texts = {name: answers(packed_language, *words, "--format", name) for name in FORMATS}
    assert len(set(texts.values())) == 1, "the same seed, the same text, in every runtime"
    assert texts["onnx"].startswith("ab") and len(texts["onnx"]) == len("ab") + 8 + len("\n")


def test_a_model_of_numbers_writes_no_text(packed: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", str(packed / "predict.py"), "--text", "a"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "--text: expected a language model beside this file" in done.stderr


def test_the_memory_is_that_of_the_runtime(packed: Path) -> None:
    """Linux counts the program before exec, which has TensorFlow, among the peak of a process."""
    found = card(packed)["formats"]
    assert found["onnx"]["peak_bytes"] < 300 * 2**20 < found["keras"]["peak_bytes"]


def test_files_of_the_user_stay(packed: Path, searched: Searched, recurrent: Recurrent) -> None:
    mine = packed / "savedmodel" / "2" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    words = ("export", searched.name, "--to", str(packed), "--tracking-uri", searched.uri)
    done = recurrent(*words, cwd=searched.folder)
    assert done.returncode == 2
    assert "which also has savedmodel/2/mine.txt" in done.stderr
    assert mine.read_text() == "mine"
    mine.unlink()


def test_an_export_replaces_an_earlier_one(packed: Path, searched: Searched, recurrent: Recurrent) -> None:
    """The formats of the earlier one go, since they may be those of another model."""
    done = recurrent("export", searched.name, "--to", str(packed), "--tracking-uri", searched.uri, cwd=searched.folder)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in packed.iterdir()} == EXPORTED


def test_a_format_that_cannot_hold_the_model_is_left_out(
    searched: Searched, recurrent: Recurrent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tracking.formats import onnx

    def refuse(*_: Any) -> None:
        raise CannotWrite("it has the layer odd_1 (Odd)")

    monkeypatch.setattr(onnx, "called", refuse)
    words = ("export", searched.name, "--to", str(tmp_path / "best"), "--tracking-uri", searched.uri, "--format")
    done = recurrent(*words, "onnx", cwd=tmp_path)
    assert done.returncode == 1, "it was asked for by its name"
    assert "recurrent export: onnx is not written: it has the layer odd_1 (Odd)\n" in done.stderr
    assert set(card(tmp_path / "best")["formats"]) == {"keras"}
    assert not list((tmp_path / "best").glob("*onnx*"))


def test_outputs_that_differ_are_not_handed_over(
    searched: Searched, recurrent: Recurrent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pack, "DIFFERENCE", 0.0)
    words = ("export", searched.name, "--to", str(tmp_path / "best"), "--tracking-uri", searched.uri, "--format")
    done = recurrent(*words, "onnx", cwd=tmp_path)
    assert done.returncode == 1
    assert re.search(r"onnx is not written: expected outputs that differ from those of Keras by 0 of", done.stderr)
    assert not list((tmp_path / "best").glob("*onnx*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--format", "onx"],
            "--format: expected keras, litert, onnx, savedmodel, all, got 'onx'; did you mean 'onnx'?",
        ),
        (["--length", "5"], "--length: expected it with --format litert, got --format keras"),
        (["--format", "onnx", "--quantize", "int8"], "--quantize: expected it with --format litert, got --format onnx"),
    ],
)
def test_what_makes_no_sense_is_refused(
    searched: Searched, recurrent: Recurrent, tmp_path: Path, words: list[str], said: str
) -> None:
    to = ("--to", str(tmp_path / "best"), "--tracking-uri", searched.uri)
    done = recurrent("export", searched.name, *to, *words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "best").exists()
