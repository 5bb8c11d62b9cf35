"""The reloaded model must have the recorded score, whatever the score's size."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from support import models
from support.searching import Recurrent, Searched

from experiments.launcher import export as launcher_export
from experiments.tasks.adding import Adding
from experiments.tasks.loading.find import make
from experiments.training import scoring

Spoil = Callable[..., None]


@pytest.fixture
def spoil(searched: Searched) -> Iterator[Spoil]:
    """Changes the logged model for one test: the recorded score, and the weights of the head."""
    model = models.best_file(searched)
    card = model.parents[1] / "model.json"
    before = {path: path.read_bytes() for path in (card, model)}

    def change(score: Callable[[float], float], head: Callable[[np.ndarray], np.ndarray] | None = None) -> None:
        if head:
            import keras

            made = keras.models.load_model(model)
            made.get_layer("head").set_weights([head(part) for part in made.get_layer("head").get_weights()])
            made.save(model)
        about = json.loads(card.read_text("utf-8"))
        card.write_text(json.dumps({**about, "model_score": score(about["model_score"])}), "utf-8")

    yield change
    for path, content in before.items():
        path.write_bytes(content)


def export(recurrent: Recurrent, search: Searched, to: Path) -> Any:
    return recurrent("export", search.name, "--to", str(to / "best"), "--tracking-uri", search.uri, cwd=to)


class Fixed:
    """A scorer that finds the same score for every model."""

    def __init__(self, found: float) -> None:
        self.found = found

    def __call__(self, *_: Any) -> tuple[float, float]:
        return self.found, 0.0

    def about(self) -> dict[str, Any]:
        return {"answer": "numbers", "options": {}, "steps": 50, "licence": ""}


@pytest.mark.parametrize("recorded", [1e-6, 1.0, 1e5, 1e12])
@pytest.mark.parametrize(("off", "fits"), [(5e-6, True), (-5e-6, True), (1e-2, False)])
def test_the_size_of_a_score_does_not_matter(
    recurrent: Recurrent,
    searched: Searched,
    spoil: Spoil,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    recorded: float,
    off: float,
    fits: bool,
) -> None:
    found = recorded * (1 + off)
    monkeypatch.setattr(launcher_export, "scorer", lambda *_: Fixed(found))
    spoil(lambda _: recorded)
    done = export(recurrent, searched, tmp_path)
    assert (done.returncode == 0, (tmp_path / "best").exists()) == (fits, fits)
    if fits:
        assert f"validation MSE {found:.7g}, recorded {recorded:.7g}; test MSE" in done.stdout
    else:
        assert f"to score {recorded:.9g} on validation, as recorded, got {found:.9g}; nothing" in done.stderr


@pytest.mark.parametrize("scale", [1_000.0, 1_000_000.0])
def test_a_model_of_large_numbers_is_exported(
    recurrent: Recurrent, searched: Searched, spoil: Spoil, tmp_path: Path, scale: float
) -> None:
    """The scores are near 1e6 and 1e12. Kernels add in different orders, and there the last digits are above 1e-4."""
    import keras

    model = models.best_file(searched)
    spoil(lambda _: 0.0, lambda part: scale * part)
    x, y = make("adding", {"length": "50", "train": "256", "val": "128", "test": "128"}).split("val", 0)
    outputs = keras.models.load_model(model, compile=False).predict(x, verbose=0)
    score = float(np.mean((y - outputs.astype(np.float64)) ** 2))
    assert score > scale**2 / 10
    spoil(lambda _: score * (1 + 1e-8))
    done = export(recurrent, searched, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_slightly_other_weights_are_refused(
    recurrent: Recurrent, searched: Searched, spoil: Spoil, tmp_path: Path
) -> None:
    spoil(lambda score: score, lambda part: part + np.float32(1e-4))
    done = export(recurrent, searched, tmp_path)
    assert done.returncode == 2 and "as recorded, got" in done.stderr, done


@pytest.mark.parametrize(("right", "fits"), [(57, True), (59, True), (56, False), (60, False)])
def test_one_answer_of_an_accuracy_may_turn(recurrent: Recurrent, old: Path, right: int, fits: bool) -> None:
    (card,) = old.glob("mlartifacts/**/model.json")
    about = json.loads(card.read_text("utf-8"))  # 58 of 60 answers are right
    card.write_text(json.dumps({**about, "model_score": right / 60}), "utf-8")
    done = recurrent("export", "old", "--to", "best", cwd=old)
    assert (done.returncode == 0, (old / "best").exists()) == (fits, fits), done
    assert f"{right / 60:.7g}"[:8] in done.stdout + done.stderr


class Halves(Adding):
    """Answers are right or wrong, although outputs are numbers."""

    def judge(self, y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        return (np.abs(y - outputs) < 0.5).ravel()


def test_the_grain_of_a_score() -> None:
    y, task = np.full((4, 1), -600.0, np.float32), Adding()
    small = scoring.grain(task, y, np.array([4.0, 4.0, 4.0, 4.0]))
    assert small == pytest.approx(2 * 2 * 600 * scoring.ROUNDING, rel=1e-3), "the derivative of a square"
    assert scoring.grain(task, y, np.array([4e4] * 4)) == pytest.approx(100 * small, rel=1e-2)
    right = np.array([True, False, True, True])
    assert scoring.grain(make("parity", {}), y, right) == scoring.grain(Halves(), y, right) == 1 / 4
    assert scoring.grain(make("parity", {}), y, np.ones(10)) == 1 / 10, "all are right"
    assert scoring.grain(make("char_lm", {}), y, np.array([0.5, 2.5])) == 0


@pytest.mark.parametrize("size", [1.0, 8.0, 40.0])
def test_the_grain_of_bits_covers_what_rounding_changes(size: float) -> None:
    """Every logit moves by four rounding errors, all of them in the same direction."""
    task, rng = make("ntm_copy", {"length": "3"}), np.random.default_rng(0)
    _, y = task.split("val", 0)
    logits = (rng.normal(size, size / 10, y.shape) * np.where(y == 1, 1, -1)).astype(np.float32)
    before = task.judge(y, logits)
    moved = abs(task.score(y, logits * (1 - scoring.ROUNDING)) - before.mean())
    assert 0 < moved < scoring.grain(task, y, before) < 1e-4 * before.mean()


@pytest.mark.parametrize("how", ["read only", "refuses"])
def test_a_store_that_does_not_take_the_test_score(
    recurrent: Recurrent, old: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The file cannot be written, and its folder can. Or the store refuses what is verified already."""
    if how == "read only":
        real = os.access
        monkeypatch.setattr("os.access", lambda path, mode: path != old / "mlflow.db" and real(path, mode))
        monkeypatch.setattr(MlflowClient, "log_batch", None)
    else:
        refuse = MlflowException("attempt to write a readonly database")
        monkeypatch.setattr(MlflowClient, "log_batch", lambda *_, **__: (_ for _ in ()).throw(refuse))
    done = recurrent("export", "old", "--to", "best", cwd=old)
    assert done.returncode == 0 and "validation" in done.stdout
    assert {path.name for path in (old / "best").iterdir()} == models.EXPORTED
    said = "recurrent export: the test score is not in the record: tracking-uri: expected an MLflow store that works"
    assert done.stderr.startswith(said) if how == "refuses" else done.stderr == "", done
