"""Which kernel computes a candidate's recurrent layers on this machine, and why.

`cudnn` on a GPU. Elsewhere `xla`, the compiled scan of scan.py, where it saves more than its compilation costs, else
`loop`, Keras' own. What it saves and costs stands in the cells' files, as `recurrent kernels` measures it.
"""

from search_spaces import cells


def kernel(used: list[str], gpus: int, work: int, sizes: int = 1) -> tuple[str, str]:
    """(kernel, reason) for a model of the cells `used`, one a layer.

    Args:
        gpus: that the model may use.
        work: time steps that each layer is trained on: training steps times the length of a sequence.
        sizes: of batches in training, 2 where the last one is smaller: XLA compiles each by itself.
    """
    known = [cells.load(name) for name in used]
    if gpus:
        without = sorted({name for name, cell in zip(used, known, strict=True) if not cell.CUDNN})
        if without:
            return "loop", f"there is no cuDNN path for {', '.join(without)}"
        return "cudnn", "GPU found; cuDNN computes every recurrent layer"
    costs, saves = sizes * sum(cell.XLA_COSTS for cell in known), work * sum(cell.XLA_SAVES for cell in known)
    reason = f"no GPU found; compiling takes about {costs:.1f} s and saves about {saves:.1f} s"
    return ("xla" if saves > costs else "loop"), reason
