"""Which kernel computes a candidate's recurrent layers on this machine, and why."""

from search_spaces import cells


def kernel(used: list[str], gpus: int) -> tuple[str, str]:
    """(kernel, reason): `cudnn` where there is a GPU and every cell in `used` has a cuDNN path, else Keras' `loop`."""
    if not gpus:
        return "loop", "no GPU found"
    without = sorted({name for name in used if not cells.load(name).CUDNN})
    if without:
        return "loop", f"Keras has no cuDNN path for {', '.join(without)}"
    return "cudnn", "GPU found; tanh and sigmoid, bias, no recurrent dropout"
