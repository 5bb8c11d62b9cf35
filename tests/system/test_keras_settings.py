"""A search computes with TensorFlow and 32 bits, whatever a user has set for other work with Keras."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.searching import Searched, environment, run

from experiments.system.imports import SETTINGS
from tracking.searches import spec_of

FOREIGN = {
    "KERAS_BACKEND": "torch",
    "KERAS_MAX_EPOCHS": "1",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "KERASTUNER_TUNER_ID": "chief",
    "KERASTUNER_ORACLE_IP": "127.0.0.1",
    "KERASTUNER_ORACLE_PORT": "1",
}
FILE = {"backend": "jax", "floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first"}
SEARCH = (
    *("search", "adding", "-o", "length=5", "-o", "train=64", "-o", "val=16", "--cells", "gru", "--depth", "1"),
    *("--width", "8", "--trials", "1", "--epochs", "2", "--batch", "16", "--workers", "1", "--oracle", "random"),
    *("--learning-rate", "0.01", "--no-horizon", "--name", "t"),
)
PROGRAM = """
{before}
import json, os
from experiments.system.imports import import_keras
import_keras()
import keras
found = {{"backend": keras.config.backend(), "floatx": keras.config.floatx(), "epsilon": keras.config.epsilon()}}
found |= {{"image_data_format": keras.config.image_data_format()}}
import tensorflow as tf
found |= {{"tensor_float_32": tf.config.experimental.tensor_float_32_execution_enabled()}}
limits = keras.config.max_epochs(), keras.config.max_steps_per_epoch(), keras.config.dtype_policy().name
print(json.dumps([found, limits, keras.src.backend.config.keras_home(), os.environ.get("KERAS_HOME")]))
"""


def foreign(folder: Path, **settings: object) -> dict[str, str]:
    """Variables of a user with a keras.json in `folder`."""
    (folder / "keras.json").write_text(json.dumps(settings))
    return {**FOREIGN, "KERAS_HOME": str(folder)}


def begun_with(variables: dict[str, str]) -> tuple[str, str]:
    """A program for `run`: the command line in a process with these variables."""
    code = f"import os; os.environ.update({variables!r})\n"
    return "-c", code + "import sys\nfrom experiments.cli.main import main\nsys.exit(main(sys.argv[1:]))"


def test_a_search_does_not_obey_them(tmp_path: Path) -> None:
    program = begun_with(foreign(tmp_path, **FILE))
    search = Searched(tmp_path.resolve(), "t", run(*SEARCH, cwd=tmp_path, program=program))
    assert (search.done.returncode, search.done.stderr) == (0, "")
    assert spec_of(search.parent)["keras"] == SETTINGS
    (file,) = tmp_path.glob("mlartifacts/**/model.keras")
    with zipfile.ZipFile(file) as archive:
        config = archive.read("config.json").decode()
    assert '"float32"' in config and '"float16"' not in config

    import keras

    assert keras.models.load_model(file).optimizer.iterations >= 64 // 16, "no epoch was shortened"
    done = run("export", "t", "--to", "best", cwd=tmp_path, program=program)
    assert (done.returncode, done.stderr) == (0, "")


def test_doctor_does_not_advise_to_install_again(tmp_path: Path) -> None:
    done = run("doctor", cwd=tmp_path, program=begun_with(foreign(tmp_path, **FILE)))
    assert (done.returncode, done.stderr) == (0, "")
    assert "install again" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "settings"),
    [("", {"floatx": "nonsense", "epsilon": 1}), ("import keras  # as a user's task does", {"floatx": "float16"})],
)
def test_every_setting_is_ours(tmp_path: Path, before: str, settings: dict[str, object]) -> None:
    variables = foreign(tmp_path, **settings)
    if before:  # main.py has set it
        variables["KERAS_BACKEND"] = "tensorflow"
    code = PROGRAM.format(before=before)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**environment(tmp_path), **variables, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found, limits, home, variable = json.loads(done.stdout)
    assert found == SETTINGS
    assert limits == [None, None, "float32"]
    assert home == variable == str(tmp_path), "the data sets of a user's task stay where they are"
