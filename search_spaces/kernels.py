"""Which kernel computes a candidate's recurrent layers on this machine, and why.

On a GPU `cudnn` is chosen. Without a GPU `xla`, the compiled scan of scan.py, is chosen if it saves more time than its
compilation takes. Otherwise `loop`, Keras' own loop, is chosen. A cell's facts say how long `xla` takes to compile and
how much time it saves.
"""

from collections.abc import Callable, Sequence

from search_spaces.cells import Facts, facts, names, with_memory

HAS: dict[str, Callable[[Facts], bool]] = {
    "cudnn": lambda cell: cell.cudnn,
    "xla": lambda cell: cell.xla_compile_seconds is not None,
    "loop": lambda cell: True,
}


def cells_with(kernel: str) -> list[str]:
    """The cells that the kernel can compute."""
    return [name for name in names() if HAS[kernel](facts(name))]


def kernel(used: Sequence[str], gpus: int, work: int, sizes: int = 1) -> tuple[str, str]:
    """(kernel, reason) for a model of the cells `used`, one for each layer.

    Args:
        gpus: the number of GPUs that the model may use.
        work: time steps that each layer is trained on: training steps times the length of a sequence.
        sizes: how many sizes of batches training has: 2 if the last batch is smaller. XLA compiles for each size.
    """
    if machines := with_memory(used):
        return "loop", f"XLA compiles the whole training step of {machines[0]}"
    if gpus:
        without = _without(used, "cudnn")
        if without:
            return "loop", f"there is no cuDNN path for {without}"
        return "cudnn", "GPU found; cuDNN computes every recurrent layer"
    without = _without(used, "xla")
    if without:
        return "loop", f"no GPU found; there is no compiled scan for {without}"
    takes = sizes * sum(facts(name).xla_compile_seconds or 0.0 for name in used)
    saves = work * sum(facts(name).xla_saved_seconds for name in used)
    reason = f"no GPU found; compiling takes about {takes:.1f} s and saves about {saves:.1f} s"
    return ("xla" if saves > takes else "loop"), reason


def _without(used: Sequence[str], kernel: str) -> str:
    return ", ".join(sorted({name for name in used if not HAS[kernel](facts(name))}))
