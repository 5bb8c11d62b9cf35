"""What a worker settles before it imports TensorFlow."""

import errno
import multiprocessing
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from keras_tuner.errors import FatalError

from experiments.config.spec import Spec
from experiments.system.devices import DeviceError
from experiments.tasks.adding import Adding
from experiments.worker import build, process
from search_spaces.native import ready
from tracking.errors import BadInput

PROGRAM = """
import numpy as np, psutil
from experiments.worker.process import keep_freed_memory
keep_freed_memory()
before = psutil.Process().memory_info().rss
del (array := [np.ones(2**24)])[0]
print(psutil.Process().memory_info().rss - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator alone can be told")
def test_what_is_freed_is_kept_for_the_next_step() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 2**26, "the 128 MiB of the array have gone back to the system"


LOADED = """
import sys
from experiments.system.imports import import_keras
from experiments.worker.process import load_kernels, use_one_thread
from search_spaces.native import compiled
compiled.checked = lambda versions: None  # nobody has compared the kernels with Keras yet
import_keras()
load_kernels()
use_one_thread()  # an error once TensorFlow has computed something
print("search_spaces.native.gru" in sys.modules)
"""


def test_kernels_are_loaded_before_tensorflow_begins() -> None:
    pytest.importorskip("numba")
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


@pytest.mark.parametrize("native", [True, False])
def test_a_worker_loads_them_while_it_waits(native: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("tie_to_launcher", "end_with_launcher", "redirect"):
        monkeypatch.setattr(process, name, lambda *_: None)
    for name in ("import_keras", "load_kernels"):
        monkeypatch.setattr(process, name, lambda name=name: done.append(name))
    gate, launcher = multiprocessing.Pipe(duplex=False)
    launcher.close()  # the launcher has ended, so the worker never begins
    process.work(gate, 0, tmp_path, "session", None, 1, None, lambda *_: done.append("tuner"), native)
    assert done == ["import_keras", *(["load_kernels"] if native else [])]


def test_kernels_that_cannot_be_loaded_end_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ImportError("numba")

    monkeypatch.setattr(ready, "load", fail)
    process.load_kernels()


def _ending(error: BaseException | None) -> Any:
    """A tuner whose search ends so."""

    class Ends:
        def search(self) -> None:
            if error:
                raise error

    return Ends


def _full() -> FatalError:
    error = FatalError("the disk is full")
    error.__cause__ = OSError(errno.ENOSPC, "no space")
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, process.DONE),
        (SystemExit(process.RETIRED), process.RETIRED),
        (OSError(errno.ENOSPC, "no space"), process.FULL),
        (_full(), process.FULL),
        (BadInput("task: expected another one"), process.REFUSED),
    ],
    ids=["done", "retired", "full", "full below keras tuner", "refused"],
)
def test_the_exit_code_says_how_a_worker_has_ended(error: BaseException | None, code: int) -> None:
    assert process.run_trials(_ending(error)) == code


@pytest.mark.parametrize("error", [SystemExit(3), OSError(errno.EACCES, "denied"), FatalError("broken")], ids=repr)
def test_any_other_end_is_not_taken_for_one_of_them(error: BaseException) -> None:
    with pytest.raises(type(error)):
        process.run_trials(_ending(error))


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A card with 81,559 MB that is made up; returns what TensorFlow is told of it."""
    import tensorflow as tf

    told: list[str] = []

    def limit(card: str, devices: list[Any]) -> None:
        told.append(f"{card} {[device.memory_limit for device in devices]}")

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda card, on: told.append(f"{card} {on}"))
    monkeypatch.setattr(tf.config, "set_logical_device_configuration", limit)
    answer = SimpleNamespace(stdout="81559\n")
    monkeypatch.setattr(subprocess, "run", lambda words, **more: told.append(words[1]) or answer)
    return told


def test_a_card_gives_a_worker_the_memory_that_it_needs(card: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the first worker would take all of it."""
    process.use_gpu("1", 1)
    assert card == ["GPU True"]
    monkeypatch.setattr(build, "use_one_thread", lambda: None)
    spec = Spec(name="t", task="adding", options={}, cells=["gru"])
    space, _, _ = build.make_space(spec, Adding(length=4), 64)
    assert space.gpus == 1


def test_workers_that_share_a_card_have_equal_parts_of_it(card: list[str]) -> None:
    process.use_gpu("GPU-5", 4)
    assert card == ["--id=GPU-5", f"GPU [{int(0.9 * 81559 / 4)}]"]


def test_a_worker_without_a_card_looks_for_none(card: list[str]) -> None:
    process.use_gpu(None, 4)
    assert card == []


@pytest.mark.parametrize("answer", ["", "No devices were found"])
def test_a_card_whose_memory_is_not_known(card: list[str], monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(subprocess, "run", lambda words, **more: SimpleNamespace(stdout=answer))
    with pytest.raises(DeviceError, match="^--workers-per-gpu: expected the memory of card 0 from nvidia-smi, got: "):
        process.use_gpu("0", 2)
