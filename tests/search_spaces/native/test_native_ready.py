"""Whether the kernels can be used."""

import os
import random
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.native_reference import python

from search_spaces.kernels import cells_with, kernel, kernel_again
from search_spaces.native import check, compiled, ready, tile

AVX2 = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma"}
OLD = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
REASON = "it was asked for"


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
    for asked, why in (("native", "native was asked for"), ("auto", "no GPU found")):
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


def test_without_a_place_compiling_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(compiled.NUMBA_FOLDER)
    assert kernel(["gru"], 0, 100_000)[0] == "xla"
    assert kernel(["gru"], 0, 200_000, native=lambda: "") == (
        "native",
        "no GPU found; loading takes about 20.0 s and saves about 28.0 s",
    )


@pytest.mark.parametrize(("value", "off"), [("1", True), ("0", False), ("", False)])
def test_a_variable_that_forbids_compiling(value: str, off: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", value)
    assert bool(ready.missing()) is off


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
    assert reason.startswith(f"native was asked for; no native kernel: {why}; compiling takes")


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
