"""Which kernel computes a candidate's recurrent layers on this machine, and why.

On a GPU `cudnn` is chosen. Otherwise it is the first of these that saves more time than it costs, beside Keras' own
loop: `native`, the kernels of native/, which a process loads, and `xla`, the scan of scan.py, which XLA compiles for
each model. A cell's facts say how much time each one saves. Otherwise `loop` is chosen, Keras' own loop.
"""

from collections.abc import Callable, Sequence

from search_spaces.cells import Facts, facts, names, with_memory
from search_spaces.native.compiled import has_place

HAS: dict[str, Callable[[Facts], bool]] = {
    "cudnn": lambda cell: cell.cudnn,
    "native": lambda cell: cell.native_saved_seconds > 0,
    "xla": lambda cell: cell.xla_compile_seconds is not None,
    "loop": lambda cell: True,
}
AUTO, NATIVE = "auto", "native"
CHOICES = (AUTO, NATIVE, "xla", "loop")  # of what a user can ask for
# A trial's share of the second in which a worker imports Numba and loads what is compiled. A worker has several trials.
LOADING_SECONDS = 0.4
COMPILING_SECONDS = 20.0  # where there is no folder for what is compiled
PATHS = {"cudnn": "cuDNN path", "native": "native kernel", "xla": "compiled scan"}


def cells_with(kernel: str) -> list[str]:
    """The cells that the kernel can compute."""
    return [name for name in names() if HAS[kernel](facts(name))]


def kernel(
    used: Sequence[str],
    gpus: int,
    work: int,
    sizes: int = 1,
    asked: str = AUTO,
    native: Callable[[], str] | None = None,
) -> tuple[str, str]:
    """(kernel, reason) for a model of the cells `used`, one for each layer.

    Args:
        gpus: the number of GPUs that the model may use.
        work: time steps that each layer is trained on: training steps times the length of a sequence.
        sizes: how many sizes of batches training has: 2 if the last batch is smaller. XLA compiles for each size.
        asked: one of CHOICES.
        native: says why `native` cannot be used, "" if it can. By default `native.check.trouble`, which tries it.
    """
    if machines := with_memory(used):
        return "loop", f"XLA compiles the whole training step of {machines[0]}"
    if asked in ("xla", "loop"):
        without = _without(used, asked)
        return ("loop", f"{asked} was asked for; {without}") if without else (asked, "it was asked for")
    if asked == AUTO and gpus:
        without = _without(used, "cudnn")
        return ("loop", without) if without else ("cudnn", "GPU found; cuDNN computes every recurrent layer")
    saves = work * sum(facts(name).native_saved_seconds for name in used)
    costs = LOADING_SECONDS if has_place() else COMPILING_SECONDS
    why = f"{NATIVE} was asked for" if asked == NATIVE else "no GPU found"
    if asked == AUTO and saves <= costs:
        return _compiled_or_not(used, work, sizes, why)
    if without := _without(used, NATIVE):
        return _compiled_or_not(used, work, sizes, f"{why}; {without}")
    if trouble := (native or _trouble)():
        return _compiled_or_not(used, work, sizes, f"{why}; no native kernel: {trouble}")
    if asked == AUTO:
        why += f"; loading takes about {costs:.1f} s and saves about {saves:.1f} s"
    return NATIVE, "it was asked for" if asked == NATIVE else why


def kernel_again(
    begun: tuple[str, str], used: Sequence[str], gpus: int, work: int, sizes: int = 1, asked: str = AUTO
) -> tuple[str, str]:
    """What `kernel` says of a model whose training began with the (kernel, reason) `begun`.

    The same kernel gives the same numbers, so it is kept, unless it cannot be used any more.
    """
    lacks = {"cudnn": lambda: "" if gpus else "no GPU found", NATIVE: _trouble}.get(begun[0], lambda: "")()
    if not lacks:
        return begun
    why = f"the trial began with {begun[0]}, which cannot go on: {lacks}"
    if begun[0] == NATIVE:
        return _compiled_or_not(used, work, sizes, why)
    other, reason = kernel(used, gpus, work, sizes, asked)
    return other, f"{why}; {reason}"


def _compiled_or_not(used: Sequence[str], work: int, sizes: int, why: str) -> tuple[str, str]:
    """`xla` or `loop`, and the reason, which begins with `why`."""
    if without := _without(used, "xla"):
        return "loop", f"{why}; {without}"
    takes = sizes * sum(facts(name).xla_compile_seconds or 0.0 for name in used)
    saves = work * sum(facts(name).xla_saved_seconds for name in used)
    reason = f"{why}; compiling takes about {takes:.1f} s and saves about {saves:.1f} s"
    return ("xla" if saves > takes else "loop"), reason


def saved_seconds(cell: str, kernel: str) -> float:
    """What a kernel saves at each time step of training at width 32, beside Keras' loop."""
    known = facts(cell)
    return {"native": known.native_saved_seconds, "xla": known.xla_saved_seconds}.get(kernel, 0.0)


def _trouble() -> str:
    from search_spaces.native import check  # it imports Numba and Keras, which help texts do without

    return check.trouble()


def _without(used: Sequence[str], kernel: str) -> str:
    cells = ", ".join(sorted({name for name in used if not HAS[kernel](facts(name))}))
    return f"there is no {PATHS[kernel]} for {cells}" if cells else ""
