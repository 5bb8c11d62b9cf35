"""`recurrent kernels`: what is measured, and what the numbers mean."""

import io
import json
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from rich.console import Console
from support.searching import Recurrent, run

from experiments.benchmarks.kernels import summary
from experiments.cli.tables import kernel_table
from experiments.training import kernel_speed
from search_spaces import cells
from search_spaces.kernels import cells_with, kernel


def test_what_a_line_says() -> None:
    loop, fast = {"step": 0.010, "compile": 1.0}, {"step": 0.004, "compile": 2.2}
    found = kernel_speed.row("gru", 100, 32, "xla", loop, fast)
    assert (found["loop_ms"], found["kernel_ms"], found["pays"]) == (10.0, 4.0, 200)  # 1.2 s more, 6 ms less a step
    assert kernel_speed.row("gru", 100, 32, "xla", fast, loop)["pays"] is None


EXPECTED = [
    "                               ms per     of       compile   of    pays   taken",
    "cell       length width kernel   step   loop  gain       s loop at step at step",
    "simple_rnn    200   128 native 124.31 124.31 1.00x    12.0 12.0   never      55",
]


def test_the_table_fits_80_columns() -> None:
    same = {"step": 0.12431, "compile": 12.0}
    console = Console(file=io.StringIO(), width=80)
    line = kernel_speed.row("simple_rnn", 200, 128, "native", same, same)
    console.print(kernel_table([line]), soft_wrap=True)
    assert isinstance(console.file, io.StringIO)
    assert [line.rstrip() for line in console.file.getvalue().splitlines()] == EXPECTED


def test_every_execution_that_is_timed_is_a_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, data = [], kernel_speed.data
    monkeypatch.setattr(kernel_speed, "data", lambda length, steps: asked.append(steps) or data(length, steps))
    kernel_speed.measure("loop", "gru", 2, 1, 20)
    assert asked == [16, 48]  # 16 before the first time, then 20 in sixteens: a rest of 4 would count as 16


def test_what_the_benchmark_says_of_a_cell() -> None:
    both = "gru: 2.00 times as fast as Keras (goal 3.0), at the least 1.00 (goal 1.3)"
    assert summary("gru", [(1.0, 3.0), (4.0, 3.0)]) == f"{both}; 3.00 times as fast as PyTorch"
    assert summary("gru", [(1.0, float("nan")), (4.0, float("nan"))]) == both


@pytest.mark.parametrize("cell", cells_with("xla"))
def test_from_the_chosen_step_on_a_search_takes_the_kernel(cell: str) -> None:
    """It takes `xla` where `native` cannot be used."""
    same = {"step": 1.0, "compile": 0.0}
    for name, native in (("xla", lambda: "Numba is not installed"), ("native", lambda: "")):
        steps = kernel_speed.row(cell, 30, 32, name, same, same)["chosen"]
        before, after = (kernel([cell], 0, 30 * count, native=native)[0] for count in (steps - 1, steps + 1))
        assert before != name and after == name
    assert kernel_speed.row(cell, 30, 32, "cudnn", same, same)["chosen"] == 0


@pytest.mark.parametrize("cell", cells_with("cudnn"))
def test_the_loop_is_a_loop_on_a_gpu_too(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were one: cuDNN's operation could not run here."""
    monkeypatch.setattr(sys.modules["keras.src.backend.tensorflow.rnn"], "_is_gpu_available", lambda: True)
    assert kernel_speed.measure("loop", cell, 3, 2, 16)["step"] > 0
    if not tf.config.list_physical_devices("GPU"):
        with pytest.raises(tf.errors.InvalidArgumentError, match="CudnnRNNV3"):
            kernel_speed.measure("cudnn", cell, 3, 2, 16)


def test_the_command(tmp_path: Path) -> None:
    done = run("kernels", "--cells", "gru", "--lengths", "5", "--widths", "4", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert {(one["cell"], one["length"], one["width"]) for one in found} == {("gru", 5, 4)}
    assert [one["kernel"] for one in found] in (["xla", "native"], ["cudnn"])
    assert all(min(one["loop_ms"], one["kernel_ms"]) > 0 for one in found)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--cells", ""), f"--cells: expected some of {', '.join(cells.names())}, got ''"),
        (("--cells", "rnn"), f"--cells: expected some of {', '.join(cells.names())}, got 'rnn'"),
        (("--lengths", "30,0"), "argument --lengths: expected a whole number from 1"),
        (("--widths", "x"), "argument --widths: expected a whole number from 1"),
    ],
)
def test_bad_input_is_one_line(recurrent: Recurrent, tmp_path: Path, words: tuple[str, ...], line: str) -> None:
    done = recurrent("kernels", *words, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith(f"recurrent kernels: {line}")
    assert done.stderr.count("\n") == 1
