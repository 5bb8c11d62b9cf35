"""Which kernel computes a candidate's recurrent layers on this machine, and why.

On a GPU `cudnn` is chosen. Otherwise `xla`, the compiled scan of scan.py, is chosen if it saves more time than its
compilation takes. A cell's facts say how long it takes to compile and how much time it saves. Otherwise `loop` is
chosen, Keras' own loop. `native`, the kernels of native/, is used where a user asks for it and Numba can be used.
"""

from collections.abc import Callable, Sequence

from search_spaces.cells import Facts, facts, names, with_memory

HAS: dict[str, Callable[[Facts], bool]] = {
    "cudnn": lambda cell: cell.cudnn,
    "native": lambda cell: cell.native,
    "xla": lambda cell: cell.xla_compile_seconds is not None,
    "loop": lambda cell: True,
}
AUTO, NATIVE = "auto", "native"
CHOICES = (AUTO, NATIVE, "xla", "loop")  # of what a user can ask for
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
    if asked == NATIVE:
        if not (trouble := _without(used, NATIVE) or (native or _trouble)()):
            return NATIVE, "it was asked for; Numba compiles every recurrent layer"
        return _compiled_or_not(used, work, sizes, f"no native kernel: {trouble}")
    if gpus:
        without = _without(used, "cudnn")
        return ("loop", without) if without else ("cudnn", "GPU found; cuDNN computes every recurrent layer")
    return _compiled_or_not(used, work, sizes, "no GPU found")


def kernel_again(
    begun: tuple[str, str], used: Sequence[str], gpus: int, work: int, sizes: int = 1, asked: str = AUTO
) -> tuple[str, str]:
    """What `kernel` says of a model whose training began with the (kernel, reason) `begun`.

    The same kernel gives the same numbers, so it is kept, unless it cannot be used any more.
    """
    lacks = {"cudnn": lambda: "" if gpus else "no GPU found", NATIVE: _trouble}.get(begun[0], lambda: "")()
    if not lacks:
        return begun
    other, reason = kernel(used, gpus, work, sizes, AUTO if begun[0] == NATIVE else asked)
    return other, f"the trial began with {begun[0]}, which cannot go on: {lacks}; {reason}"


def _compiled_or_not(used: Sequence[str], work: int, sizes: int, why: str) -> tuple[str, str]:
    """`xla` or `loop`, and the reason, which begins with `why`."""
    if without := _without(used, "xla"):
        return "loop", f"{why}; {without}"
    takes = sizes * sum(facts(name).xla_compile_seconds or 0.0 for name in used)
    saves = work * sum(facts(name).xla_saved_seconds for name in used)
    reason = f"{why}; compiling takes about {takes:.1f} s and saves about {saves:.1f} s"
    return ("xla" if saves > takes else "loop"), reason


def _trouble() -> str:
    from search_spaces.native import check  # it imports Numba and Keras, which help texts do without

    return check.trouble()


def _without(used: Sequence[str], kernel: str) -> str:
    cells = ", ".join(sorted({name for name in used if not HAS[kernel](facts(name))}))
    return f"there is no {PATHS[kernel]} for {cells}" if cells else ""
