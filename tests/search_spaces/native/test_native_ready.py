"""Whether the kernels can be used, and the folder in which they are kept."""

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from search_spaces.kernels import cells_with, kernel, kernel_again
from search_spaces.native import check, compiled, ready, tile

ROOT = Path(__file__).parents[3]
AVX2 = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma"}
OLD = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
REASON = "it was asked for"


def python(code: str, **variables: str) -> str:
    """What a new process prints that runs the code."""
    places = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    environment = {**os.environ, **places, **variables}
    words = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_can_be_used_here() -> None:
    assert check.trouble() == ""
    assert kernel(["lstm", "gru", "simple_rnn"], 0, 0, asked="native") == ("native", REASON)


def test_looking_uses_no_random_numbers_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    tf.random.set_seed(3)
    monkeypatch.setattr(compiled, "checked", lambda versions: None)
    before = random.getstate(), np.random.get_state()[1].tolist()
    assert check.trouble.__wrapped__() == ""
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


@pytest.mark.parametrize(
    ("asked", "gpus", "answer"),
    [
        ("auto", 1, ("cudnn", "GPU found; cuDNN computes every recurrent layer")),
        ("native", 1, ("native", REASON)),
        ("native", 0, ("native", REASON)),
        ("xla", 0, ("xla", "it was asked for")),
        ("loop", 1, ("loop", "it was asked for")),
        ("auto", 0, ("loop", "no GPU found; compiling takes about 0.6 s and saves about 0.0 s")),
    ],
)
def test_a_kernel_that_is_asked_for(asked: str, gpus: int, answer: tuple[str, str]) -> None:
    assert kernel(["gru"], gpus, 0, asked=asked) == answer


@pytest.mark.parametrize(
    ("used", "work", "answer"),
    [
        (["gru"], 2_000, ("loop", "no GPU found; compiling takes about 0.6 s and saves about 0.3 s")),
        (["gru"], 4_000, ("native", "no GPU found; loading takes about 0.4 s and saves about 0.6 s")),
        (["gru", "gru"], 2_000, ("native", "no GPU found; loading takes about 0.4 s and saves about 0.6 s")),
        (["ntm"], 10**9, ("loop", "XLA compiles the whole training step of ntm")),
    ],
)
def test_it_is_chosen_where_it_saves_time(used: list[str], work: int, answer: tuple[str, str]) -> None:
    assert kernel(used, 0, work) == answer


def test_where_it_cannot_be_used_the_reason_says_why() -> None:
    for asked, why in (("native", "it was asked for"), ("auto", "no GPU found")):
        name, reason = kernel(["gru"], 0, 10**9, asked=asked, native=lambda: "Numba is not installed")
        assert name == "xla"
        assert reason.startswith(f"{why}; no native kernel: Numba is not installed; compiling takes about 0.6 s")
    assert kernel(["gru"], 0, 0, asked="native", native=lambda: "it is broken")[0] == "loop"


def test_the_comparison_is_made_once_on_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check.trouble.__wrapped__() == ""
    passed = compiled.checked(f"{keras.__version__}-{tf.__version__}")
    assert passed is not None and passed.exists()
    monkeypatch.setattr(check, "_outcome", lambda kind: pytest.fail("it was compared before"))
    assert check.trouble.__wrapped__() == ""
    assert compiled.is_whole(passed.parent), "the file that says so is no damage"


def test_a_kernel_that_differs_from_keras_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "checked", lambda versions: None)
    outcome = check._outcome
    monkeypatch.setattr(check, "_outcome", lambda kind: [part * (1 + len(kind.__name__)) for part in outcome(kind)])
    assert check.trouble.__wrapped__().startswith("the kernel of SimpleRNN differs from Keras' own by ")


def test_any_error_of_numba_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("this LLVM is broken\nand more")

    monkeypatch.setattr(ready, "load", fail)
    assert check.trouble.__wrapped__() == "RuntimeError: this LLVM is broken"


def test_a_trial_keeps_the_kernel_that_it_began_with(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = [("native", REASON), ("xla", "once"), ("loop", "once")]
    assert [kernel_again(one, ["gru"], 0, 0) for one in begun] == begun
    assert kernel_again(("cudnn", "GPU found"), ["gru"], 0, 0)[0] == "loop"
    monkeypatch.setattr(check, "trouble", lambda: "Numba is not installed")
    name, reason = kernel_again(begun[0], ["gru"], 0, 10**9)
    assert name == "xla"
    assert reason.startswith("the trial began with native, which cannot go on: Numba is not installed; compiling takes")


def test_the_cells_that_have_it() -> None:
    assert cells_with("native") == ["simple_rnn", "gru", "lstm"]


@pytest.mark.parametrize(
    ("features", "shape"),
    [
        ("+avx,+avx2,+avx512f,+fma", tile.Shape(16, (6, 4), (12, 2), (8, 1))),
        ("+avx,+avx2,-avx512f,+fma", tile.Shape(8, (4, 3), (6, 2), (8, 1))),
        ("+sse2,-avx", tile.Shape(4, (4, 3), (6, 2), (8, 1))),
        ("+neon,+fp-armv8", tile.Shape(4, (6, 4), (12, 2), (8, 1))),
        ("", tile.Shape(4, (4, 3), (6, 2), (8, 1))),
    ],
)
def test_tiles_follow_the_features(features: str, shape: tile.Shape) -> None:
    assert tile.shape(features) == shape


def test_nothing_is_compiled_twice_and_damage_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.NUMBA_FOLDER, str(tmp_path / "native"))
    place = compiled.folder()
    assert place is not None and not compiled.is_whole(place)
    with compiled.kept() as own:
        assert own is not None and own != place
        (own / "code").write_bytes(b"machine code")
    assert compiled.is_whole(place) and [path.name for path in place.parent.iterdir()] == [place.name]
    with compiled.kept() as again:
        assert again == place
    (place / "code").write_bytes(b"machine c0de")
    assert not compiled.is_whole(place)
    with compiled.kept() as anew:
        assert anew is not None and anew != place
        (anew / "code").write_bytes(b"new code")
    assert (place / "code").read_bytes() == b"new code"
    monkeypatch.setenv("NUMBA_CPU_NAME", "haswell")
    assert compiled.folder() != place, "another processor has another folder"
    monkeypatch.delenv(compiled.NUMBA_FOLDER)
    assert compiled.folder() is None


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(compiled.NUMBA_FOLDER, str(tmp_path / "file"))
    with compiled.kept() as place:
        assert place is None


WITHOUT = """
import sys
sys.modules["numba"] = None  # an import fails, as without the package
from search_spaces import cells
from search_spaces.kernels import kernel
from search_spaces.native import check
from search_spaces.recurrent import RecurrentSpace
space = RecurrentSpace(features=2, outputs=1, loss="mse", asked="native")
import keras_tuner
hp = keras_tuner.HyperParameters()
model = space.build(hp)
stock = type(model.layers[0]).__module__.startswith("keras.")
print(check.trouble(), "|", kernel(["gru"], 0, 0, asked="native")[1], "|", stock)
"""


def test_everything_works_without_numba() -> None:
    why, reason, stock = python(WITHOUT).strip().split(" | ")
    assert why.startswith("Numba is not installed") and stock == "True"
    assert reason.startswith(f"it was asked for; no native kernel: {why}; compiling takes")


CHECK = """
import numpy as np, warnings
from search_spaces.native import compiled, ready
compiled.folder = lambda: None  # compiled here, since code from a folder cannot be shown
ready.load()
from search_spaces.native.product import product, SHAPE
from support.native_reference import CELLS, Case
code = "".join(product.inspect_asm().values())
worst = 0.0
for name in CELLS:
    case = Case(name, 45, 7, masked=True)
    outputs, ends = case.reference()
    for one, other in zip(case.run()["results"], [outputs, *ends]):
        worst = max(worst, float(np.abs(one - other).max()))
print(SHAPE.lanes, "zmm" in code, "ymm" in code, worst < 1e-5)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("variables", "expected"), [(AVX2, "8 False True True"), (OLD, "4 False False True")])
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="these are features of x86-64")
def test_other_processors(variables: dict[str, Any], expected: str) -> None:
    assert python(CHECK, **variables).strip() == expected


@pytest.mark.slow
def test_a_second_process_finds_what_the_first_has_compiled(tmp_path: Path) -> None:
    code = "import time; began = time.process_time(); from search_spaces.native import ready; ready.load()"
    code += "; print(time.process_time() - began)"
    first, second = (float(python(code, NUMBA_CACHE_DIR=str(tmp_path))) for _ in range(2))
    assert second < first / 2
    (place,) = tmp_path.iterdir()
    assert compiled.is_whole(place)
