"""Tasks that can draw their samples. `recurrent tasks NAME --show N` writes the pictures beside the texts."""

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Pictured(Protocol):
    """A task with pictures."""

    def draw(self, x: np.ndarray, y: np.ndarray, file: Path) -> None:
        """Writes a picture of one sample to a file .png. Raises OSError."""
