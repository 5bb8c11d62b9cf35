"""Empty figures of Matplotlib, for files of the formats that it writes."""

from pathlib import Path
from typing import Any

from tracking.errors import BadInput


def figure_for(file: Path, argument: str, example: str, size: tuple[float, float]) -> Any:
    """An empty figure of `size`, in inches, that can be saved in the format of the file.

    Raises BadInput, which names the argument and an example, for a format that Matplotlib does not write.
    """
    from matplotlib.figure import Figure  # imported here: it takes 0.3 s

    figure = Figure(figsize=size, dpi=150, layout="constrained")
    if file.suffix.lower().removeprefix(".") not in figure.canvas.get_supported_filetypes():
        raise BadInput(f"{argument}: expected a file like {example}.png, .svg or .pdf, got {str(file)!r}")
    return figure
