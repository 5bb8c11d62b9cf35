"""A model of bits is trained, scored, measured and described."""

from pathlib import Path

import keras
import numpy as np
import pytest

from experiments.tasks.loading.digest import digest_of
from experiments.tasks.ntm_copy import NtmCopy
from experiments.training.samples import sample_shares
from experiments.training.scoring import scorer
from experiments.training.training import Training, save_model
from search_spaces.plain import plain
from search_spaces.recurrent import LOSSES, RecurrentSpace

TASK = NtmCopy(length=1, bits=2, train=640, val=96, test=32)


@pytest.fixture(scope="module")
def trained() -> Training:
    keras.utils.set_random_seed(0)
    space = RecurrentSpace(TASK.outputs, TASK.loss, TASK.features, per_step=True)
    model = space.stack([("gru", 12)], 0.0)
    model.compile(keras.optimizers.Adam(0.03), LOSSES[TASK.loss]())
    training = Training(model, TASK, TASK.split("train", 0), TASK.split("val", 0), 16, 0, (0, 0))
    first = training.run_epoch()
    for _ in range(4):
        last = training.run_epoch()
    assert last["loss"] < first["loss"]
    return training


def test_two_bits_are_copied(trained: Training) -> None:
    x, y = TASK.split("val", 0)
    score = trained.logs["val_bits_per_sequence"]
    assert score < 0.5 < TASK.floors()["half_memory"]
    assert score == pytest.approx(TASK.score(y, trained.model.predict(x, verbose=0)), rel=1e-5)
    assert sample_shares(TASK, trained.model, 0) == {"wrong_bits": 0.0}


def test_what_is_told_to_an_export(trained: Training, tmp_path: Path) -> None:
    save_model(plain(trained.model), tmp_path / "model.keras")
    options = {name: str(value) for name, value in vars(TASK).items()}
    digest = digest_of([TASK.split(name, 0) for name in ("train", "val")])
    found = scorer({"task": "ntm_copy", "options": options, "seed": 0, "digest": digest, "reading": 2})
    score, grain = found(tmp_path / "model.keras", "val")
    assert score == pytest.approx(trained.logs["val_bits_per_sequence"], rel=1e-5) and 0 < grain < 1e-4
    assert found.about()["answer"] == "bits" and "labels" not in found.about()
    samples = found.samples(10**6)
    assert np.array_equal(samples.scored, (samples.y != -1).any(axis=2)) and samples.scored.sum() == len(samples.x)
