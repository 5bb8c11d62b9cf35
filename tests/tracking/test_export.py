"""`recurrent export`: files that need this project no more, checked before they are put in place."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from mlflow.exceptions import MlflowException
from support import models
from support.searching import Recurrent, Searched, environment, listing, run, text

from experiments.tasks.base import Arrays
from experiments.tasks.loading.find import make
from experiments.training.sampling import generate

# Loads and scores the model in a process that has Keras and NumPy, and none of this project.
ALONE = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("experiments", "search_spaces", "tracking", "keras_tuner", "mlflow"):
            raise ImportError(name + " is not here")
sys.meta_path.insert(0, Blocker())
try:
    import search_spaces
except ImportError:
    pass
else:
    sys.exit("the blocker does not block")
import keras, numpy
model = keras.models.load_model(sys.argv[1])
data = numpy.load(sys.argv[2])
numpy.save(sys.argv[3], model.predict(data["x"], batch_size=64, verbose=0))
numpy.save(sys.argv[3] + ".other.npy", model.predict(data["x"][:3, :7], verbose=0))
print(model.input_shape, model.output_shape)
for layer in model.layers:
    print(type(layer).__module__.split(".")[0], type(layer).__name__)
"""
STOCK = {"SimpleRNN", "LSTM", "GRU", "Dense", "Dropout", "Embedding"}


def card(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "model.json").read_text("utf-8")))


def check_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two exports of one model; on a loaded machine its outputs were once seen to differ in the last bit."""
    scored = ("rescored", "test_score", "formats")  # the last one has the score too, and the size of the file
    assert {key: one[key] for key in scored[:2]} == pytest.approx({key: other[key] for key in scored[:2]}, rel=1e-6)
    assert {**one, **dict.fromkeys(scored)} == {**other, **dict.fromkeys(scored)}


def check_same_weights(one: Path, other: Path) -> None:
    import keras

    weights = [keras.models.load_model(file, compile=False).get_weights() for file in (one, other)]
    for pair in zip(*weights, strict=True):
        np.testing.assert_array_equal(*pair)


def split(searched: Searched, name: str) -> Arrays:
    """A split as it is scored, from what model.json says alone; a text in one row, from zero state to its end."""
    about = card(searched.folder / "best")
    options = {name: str(value) for name, value in about["options"].items()}
    if "corpus" in options:
        options["corpus"] = str(searched.folder / options["corpus"])
    x, y = make(about["task"], options).split(name, about["seed"])
    return (x[None], y[None]) if "corpus" in options else (x, y)


def alone(model: Path, x: np.ndarray, folder: Path) -> tuple[np.ndarray, list[str]]:
    """The model's outputs for `x`, and the process's words."""
    np.savez(folder / "data.npz", x=x)
    out = folder / "outputs.npy"
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(model), str(folder / "data.npz"), str(out)],
        cwd=folder,
        env=environment(folder) | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert np.load(f"{out}.other.npy").shape[0] == min(3, len(x)), "another batch, another length"
    return np.load(out), done.stdout.splitlines()


def bits_per_character(logits: np.ndarray, y: np.ndarray) -> float:
    """By the definition, in double precision."""
    logits = logits.astype(np.float64)
    log_p = logits - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True))
    log_p -= logits.max(-1, keepdims=True)
    return float(-np.take_along_axis(log_p, y[..., None].astype(int), -1).mean() / np.log(2))


# ---- what is in the folder ----


def test_the_folder_holds_the_model_and_its_pages(exported: Path, exported_language: Path) -> None:
    for folder in (exported, exported_language):
        assert {path.name for path in folder.iterdir()} == models.EXPORTED
        assert not list(folder.parent.glob(".best.*")), "nothing is left of the making"


def test_the_model_scores_without_this_project(searched: Searched, exported: Path, tmp_path: Path) -> None:
    (x, y), (test_x, test_y) = split(searched, "val"), split(searched, "test")
    outputs, words = alone(exported / "model.keras", np.concatenate([x, test_x]), tmp_path)
    squares, about = (np.concatenate([y, test_y]) - outputs) ** 2, card(exported)
    assert abs(float(squares[: len(x)].mean(dtype=np.float64)) - about["model_score"]) < 1e-4
    assert abs(float(squares[len(x) :].mean(dtype=np.float64)) - about["test_score"]) < 1e-4
    assert about["test_score"] != about["model_score"]
    assert words[0] == "(None, None, 2) (None, 1)"
    assert {line.split()[0] for line in words[1:]} == {"keras"}
    assert {line.split()[1] for line in words[1:]} <= STOCK


def test_the_language_model_scores_without_this_project(
    language: Searched, exported_language: Path, tmp_path: Path
) -> None:
    x, y = split(language, "val")
    outputs, words = alone(exported_language / "model.keras", x, tmp_path)
    about = card(exported_language)
    assert abs(bits_per_character(outputs, y) - about["model_score"]) < 1e-4
    symbols = len(about["preprocessing"]["vocabulary"])
    assert words[0] == f"(None, None) (None, None, {symbols})"
    assert {line.split()[1] for line in words[1:]} <= STOCK


@pytest.mark.parametrize("which", ["exported", "exported_language"])
def test_the_archive_names_stock_keras_alone(which: str, request: pytest.FixtureRequest) -> None:
    with zipfile.ZipFile(request.getfixturevalue(which) / "model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    named = list(modules(config))
    assert "keras.layers" in named
    assert {name.split(".")[0] for name in named} <= {"keras", "builtins"}
    assert set(registered(config)) <= {None, "Sequential"}, "nothing of ours is registered"


def modules(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if config.get("module"):
            yield config["module"]
        for value in config.values():
            yield from modules(value)
    elif isinstance(config, list):
        for value in config:
            yield from modules(value)


def registered(config: Any) -> Iterator[str | None]:
    if isinstance(config, dict):
        if "registered_name" in config and config.get("module", "").split(".")[0] != "keras":
            yield config["registered_name"]
        for value in config.values():
            yield from registered(value)
    elif isinstance(config, list):
        for value in config:
            yield from registered(value)


def test_the_card_says_all_about_the_model(searched: Searched, exported: Path) -> None:
    about = card(exported)
    best = min(searched.trials(), key=lambda trial: trial.data.metrics["best/mse"])
    spec = json.loads(searched.parent.data.tags["recurrent.spec.0"])
    assert (about["task"], about["metric"], about["direction"], about["seed"]) == ("adding", "mse", "min", 0)
    sizes = {"length": 50, "train": 256, "val": 128, "test": 128}
    assert about["options"] == {**sizes, "online": False, "variant": "halves"}
    assert (about["trial"], about["run_id"]) == (best.data.tags["recurrent.trial"], best.info.run_id)
    assert about["architecture"] == best.data.params["architecture"]
    assert about["values"]["cell"] == best.data.params["cell"]
    assert about["values"]["learning_rate"] == best.data.metrics["hp/learning_rate"]
    assert (about["score"], about["model_score"]) == (best.data.metrics["best/mse"],) * 2
    assert about["epoch"] == best.data.metrics["best/epoch"]
    assert about["parameters"] == best.data.metrics["cost/parameters"]
    assert abs(about["rescored"] - about["model_score"]) < 1e-4
    assert (about["versions"], about["commit"], about["digest"]) == (spec["versions"], spec["commit"], spec["digest"])
    assert {"python", "tensorflow", "keras", "mlflow"} <= set(about["versions"])
    assert about["shapes"] == {
        "input": {"shape": [None, None, 2], "dtype": "float32"},
        "output": {"shape": [None, 1], "dtype": "float32"},
    }
    assert about["preprocessing"] and about["floors"] == pytest.approx({"no_memory": 1 / 6, "half_memory": 1 / 12})


def test_the_card_of_a_language_model_has_its_vocabulary(exported_language: Path) -> None:
    about = card(exported_language)
    preprocessing = about["preprocessing"]
    letters = sorted(set(text(42_000, seed=0)[:9_600]))
    assert preprocessing["vocabulary"] == "\ufffd" + "".join(letters)
    assert preprocessing["unknown"] == 0
    assert about["shapes"]["input"] == {"shape": [None, None], "dtype": "int32"}
    assert about["shapes"]["output"]["shape"] == [None, None, len(letters) + 1]
    assert "Å" in (exported_language / "model.json").read_text("utf-8"), "text a person can read"


def test_the_test_score_is_in_mlflow_too(
    searched: Searched, exported: Path, language: Searched, exported_language: Path
) -> None:
    for search, folder, metric in ((searched, exported, "mse"), (language, exported_language, "bits_per_character")):
        about = card(folder)
        points = search.client.get_metric_history(about["run_id"], f"test/{metric}")
        assert [point.value for point in points] == [about["test_score"]]
        (shown,) = [trial for trial in search.results()["trials"] if trial["run_id"] == about["run_id"]]
        assert shown["test_score"] == about["test_score"]


def test_sampling_from_the_folder_alone(exported_language: Path, tmp_path: Path) -> None:
    shutil.copytree(exported_language, tmp_path / "gift")
    words = ("sample", "gift", "--prompt", "the ", "--length", "20", "--seed", "3", "--top-k", "5")
    done = run(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("the ") and done.stdout.endswith("\n")
    assert len(done.stdout) == len("the ") + 20 + 1
    assert set(done.stdout) <= set(card(exported_language)["preprocessing"]["vocabulary"]) | {"\n"}


# ---- again, and to other places ----


Export = Callable[[Searched, str, Path], subprocess.CompletedProcess[str]]


@pytest.fixture
def export_again(recurrent: Recurrent) -> Export:
    def export(searched: Searched, to: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        return recurrent("export", searched.name, "--to", to, "--tracking-uri", searched.uri, cwd=cwd)

    return export


def test_exporting_twice_gives_the_same(
    export_again: Export, searched: Searched, exported: Path, tmp_path: Path
) -> None:
    shutil.copytree(exported, tmp_path / "best")
    (tmp_path / "best" / "model.keras").write_bytes(b"spoiled meanwhile")
    done = export_again(searched, "best", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    check_same(card(tmp_path / "best"), card(exported))
    check_same_weights(tmp_path / "best" / "model.keras", exported / "model.keras")
    assert [path.name for path in tmp_path.iterdir() if path.name != ".cache"] == ["best"]
    about = card(exported)
    assert len(searched.client.get_metric_history(about["run_id"], "test/mse")) == 1


def test_an_export_says_what_it_found(export_again: Export, searched: Searched, tmp_path: Path) -> None:
    done = export_again(searched, "new/folder/best", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    about = card(tmp_path / "new" / "folder" / "best")
    first, second, third, fourth, fifth = done.stdout.splitlines()
    assert first.startswith(f"exported {about['architecture']} (trial {about['trial']}, {about['parameters']:,} param")
    assert (
        f"{about['rescored']:.7g}, recorded {about['model_score']:.7g};" in second
        and f"{about['test_score']:.4g}" in second
    )
    assert third.endswith("no memory 0.1667, half memory 0.08333; solved: 0.001 or less")
    assert fourth == f"on validation the model is: {about['verdict']}" and about["solved"] == 0.001
    assert fifth.startswith("keras: model.keras, ")


def test_an_export_into_the_current_folder(
    export_again: Export, searched: Searched, exported: Path, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    shutil.copytree(exported, here)
    done = export_again(searched, ".", here)
    check_same(card(here), card(exported))  # what was there, or the new one
    assert (here / "model.keras").exists()
    assert done.returncode in (0, 2) and "Traceback" not in done.stderr


def test_an_export_into_a_link(export_again: Export, searched: Searched, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    done = export_again(searched, "link", tmp_path)
    assert done.returncode in (0, 2) and "Traceback" not in done.stderr


def test_an_export_of_another_search_is_not_overwritten(
    export_again: Export, language: Searched, exported: Path, exported_language: Path
) -> None:
    before = listing(exported)
    done = export_again(language, str(exported), language.folder)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "--to" in line and "'words'" in line
    assert listing(exported) == before


def optimizer_in(file: Path) -> list[str]:
    """The names of the optimizer's arrays in a `.keras` file."""
    import h5py

    found: list[str] = []
    with zipfile.ZipFile(file) as archive, archive.open("model.weights.h5") as raw, h5py.File(raw) as weights:
        weights.visit(found.append)
    return [name for name in found if name.startswith("optimizer/vars/")]


def test_the_optimizer_stays_behind(searched: Searched, exported: Path) -> None:
    import keras

    exported_file, logged = exported / "model.keras", logged_file(searched)
    assert (optimizer_in(exported_file), len(optimizer_in(logged)) > 6) == ([], True)
    assert exported_file.stat().st_size < logged.stat().st_size / 2
    assert not keras.models.load_model(exported_file).compiled


def test_the_optimizer_comes_with_its_state(
    recurrent: Recurrent, searched: Searched, exported: Path, tmp_path: Path
) -> None:
    import keras

    words = ("export", "t", "--to", "best", "--with-optimizer", "--tracking-uri", searched.uri)
    done = recurrent(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    check_same(card(tmp_path / "best"), card(exported))
    model = keras.models.load_model(tmp_path / "best" / "model.keras")
    steps = 256 // 64 * (1 + card(exported)["epoch"])  # of the exported epoch
    assert model.optimizer.iterations == steps
    _, _, *moments = model.optimizer.variables
    assert all(np.abs(np.asarray(moment)).max() > 0 for moment in moments)
    x, y = split(searched, "train")
    model.fit(x, y, epochs=1, verbose=0)
    assert model.optimizer.iterations == steps + 8, "Keras' own batches have 32 samples"


# ---- what is not what it was ----


@contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


def logged_file(searched: Searched) -> Path:
    return models.best_file(searched)


def check_refused(done: subprocess.CompletedProcess[str], folder: Path, *words: str) -> None:
    assert (done.returncode, done.stdout) == (2, ""), done
    (line,) = done.stderr.splitlines()
    assert line.startswith("recurrent export: ")
    for word in words:
        assert word in line
    assert {path.name for path in folder.iterdir()} <= {".cache"}, "nothing is written"


def test_other_weights_than_recorded_are_refused(export_again: Export, searched: Searched, tmp_path: Path) -> None:
    import keras

    file = logged_file(searched)
    model = keras.models.load_model(file)
    head = model.get_layer("head")
    head.set_weights([part + 0.02 for part in head.get_weights()])
    model.save(tmp_path / "other.keras")
    content = (tmp_path / "other.keras").read_bytes()
    (tmp_path / "other.keras").unlink()
    with changed(file, content):
        done = export_again(searched, "best", tmp_path)
    check_refused(done, tmp_path, "as recorded", "nothing was exported")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half of one"], ids=["empty", "text", "half"])
def test_a_broken_file_is_refused(export_again: Export, searched: Searched, tmp_path: Path, content: bytes) -> None:
    with changed(logged_file(searched), content):
        done = export_again(searched, "best", tmp_path)
    check_refused(done, tmp_path)


def test_a_missing_file_is_refused(export_again: Export, searched: Searched, tmp_path: Path) -> None:
    file = logged_file(searched)
    file.rename(tmp_path / "aside")
    try:
        done = export_again(searched, "best", tmp_path)
    finally:
        (tmp_path / "aside").rename(file)
    check_refused(done, tmp_path)


def test_a_record_without_its_files_is_refused(export_again: Export, searched: Searched, tmp_path: Path) -> None:
    artifacts = searched.folder / "mlartifacts"
    artifacts.rename(searched.folder / "moved")
    try:
        done = export_again(searched, "best", tmp_path)
    finally:
        (searched.folder / "moved").rename(artifacts)
    check_refused(done, tmp_path)


def test_another_corpus_is_refused(export_again: Export, language: Searched, exported_language: Path) -> None:
    before = listing(exported_language)
    with changed(language.folder / "text.txt", text(42_000, seed=5).encode()):
        done = export_again(language, "other", language.folder)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "data: expected those of the search" in line
    assert not (language.folder / "other").exists()
    assert listing(exported_language) == before


# ---- the model in MLflow ----


def test_the_best_model_is_the_exported_one(searched: Searched, exported: Path) -> None:
    client, model = searched.client, models.best_model(searched)
    assert model.source_run_id == card(exported)["run_id"]
    assert model.tags["recurrent.search_id"] == "t"
    check_same_weights(logged_file(searched), exported / "model.keras")
    outputs = client.get_run(model.source_run_id).outputs.model_outputs
    assert [output.model_id for output in outputs] == [model.model_id]


def test_the_model_has_its_scores(searched: Searched, exported: Path) -> None:
    about, model = card(exported), models.best_model(searched)
    found = {metric.key: metric.value for metric in searched.client.get_logged_model(model.model_id).metrics}
    wanted = {"best/mse": about["score"], "test/mse": about["test_score"], "cost/parameters": about["parameters"]}
    assert wanted.items() <= found.items()


@pytest.mark.parametrize("which", ["searched", "language"])
def test_mlflow_loads_and_serves_the_model(
    which: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    search: Searched = request.getfixturevalue(which)
    model = models.best_model(search)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", search.uri)
    keras_model = mlflow.keras.load_model(f"models:/{model.model_id}")
    served = mlflow.pyfunc.load_model(f"models:/{model.model_id}")
    assert len(served.predict(served.input_example)) == 1, "the example can be scored as it is"
    rng = np.random.default_rng(0)
    if which == "searched":
        sequences = [rng.random((time, 2)).tolist() for time in (9, 30, 9)]
        answers = served.predict(pandas.DataFrame({"sequence": sequences}))
        for sequence, answer in zip(sequences, answers, strict=True):
            wanted = keras_model.predict(np.array([sequence], np.float32), verbose=0)[0]
            assert answer == pytest.approx(wanted, abs=1e-5)
        with pytest.raises(MlflowException, match="^sequence: expected float32 .time, 2., got the shape"):
            served.predict(pandas.DataFrame({"sequence": [[[1.0, 2.0, 3.0]]]}))
    else:
        frame = pandas.DataFrame({"prompt": ["ab", "b"]})
        texts = served.predict(frame, params={"length": 12, "seed": 1})
        assert [len(text) for text in texts] == [12, 12]
        assert served.predict(frame, params={"length": 12, "seed": 1}) == texts
        assert served.predict(frame, params={"length": 12, "seed": 2}) != texts
        vocabulary = card(search.folder / "best")["preprocessing"]["vocabulary"]
        wanted = generate(keras_model, vocabulary, "ab", 12, seed=1)
        assert texts[0] == wanted, "as recurrent sample writes it"
    with pytest.raises(MlflowException, match="(?i)schema"):
        served.predict(pandas.DataFrame({"other": [1]}))


def test_the_models_requirements_are_explicit(searched: Searched) -> None:
    lines = (logged_file(searched).parents[1] / "requirements.txt").read_text().split()
    assert [line.split("==")[0] for line in lines] == ["mlflow", "keras", "tensorflow", "numpy"]
    assert all("==" in line for line in lines)
