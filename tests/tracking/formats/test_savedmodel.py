"""SavedModel: the endpoint reads any batch and any length."""

from pathlib import Path

import numpy as np
import pytest
from support import stacks
from support.stacks import FORMS

from tracking.formats import Wanted
from tracking.formats.savedmodel import FOLDER, write


@pytest.mark.parametrize(
    ("cell", "name"), [("gru", "padded, residual"), ("lstm", "per step"), ("simple_rnn", "bidirectional")]
)
def test_the_outputs_are_those_of_keras(tmp_path: Path, cell: str, name: str) -> None:
    import tensorflow as tf

    form = FORMS[name]
    model, (x, real) = stacks.model(cell, form), stacks.samples(form)
    assert write(model, tmp_path, Wanted({})) == [FOLDER]
    loaded = tf.saved_model.load(str(tmp_path / FOLDER))
    for some, mask in ((x, real), (x[:2, :5], real[:2, :5])):
        outputs = loaded.serve(tf.constant(some)).numpy()
        scored = mask if form.per_step else np.ones(len(some), bool)
        assert stacks.apart(outputs, stacks.expected(model, some), scored) < 1e-5
    assert list(loaded.signatures) == ["serve", "serving_default"] or "serving_default" in loaded.signatures
