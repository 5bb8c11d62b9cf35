"""The recurrent cells: one file each, found by its name. A new cell is one new file and its test. A file has:

FACTS                                                   what is known of the cell without Keras, see `Facts`
layer(width, return_sequences, name, kernel, **start)   makes the cell's Keras layer

The layer reads `(batch, time, features)` and returns `(batch, time, width)`, or `(batch, width)` without
`return_sequences`. A cell with a memory returns what it has read, too, behind these `width` numbers. `kernel` is
"cudnn", "native", "xla" or "loop"; a cell is only asked for the kernels that its facts name and for "loop". `start`
says how the weights begin, see `Recipe.starts`: `init` is one of the cell's initialisations. A cell with a keep gate
also takes `bias`, the first bias of that gate, and `longest`, the steps that chrono spans.

The command line reads FACTS. A cell's file therefore imports Keras and TensorFlow inside functions only. A layer with
the kernel `xla` stands in scans/, in a file with the cell's name, and one with the kernel `native` in native/layers.py.

With the kernel `loop` the cells of this project are stock Keras layers, and a test holds every cell to that:
`recurrent export` takes only models that can be loaded without this project. A cell that Keras does not have is a class
under `keras.saving.register_keras_serializable`, with `get_config`, made inside a cached function. It can be searched,
and exported if the class stands in a file of its own in search_spaces that needs Keras alone, as ntm.py. The export
takes the file along. tests/search_spaces/test_new_cell.py has such a cell in full.

The first weights of the layer are the input weights, `(features, gates * width)`; then come the recurrent weights and
the bias. A new cell takes part in every search that does not name its cells, unless it has a memory.
"""

import dataclasses
import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from search_spaces.errors import UnknownName


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a cell without Keras.

    Args:
        gates: products of a matrix with the input at each step, 1 for a cell without gates.
        inits: the initialisations that the cell knows; Keras' own is "default".
        keep_gate: the name of the gate that keeps the state, whose bias can be searched; "" if there is none.
        cudnn: cuDNN can compute the cell.
        xla_compile_seconds: what the kernel `xla` takes to compile one size of batch; None if there is no such kernel.
        xla_saved_seconds: what the kernel `xla` saves at each time step of training at width 32, beside Keras' loop.
        native_saved_seconds: the same of the kernel `native`, which has nothing to compile in a trial; 0 if there is no
            such kernel.
        step_seconds: of one time step of training besides the gates, for a cell that has more than gates.
        memory: the cell has a memory besides its state. It is searched only if it is named, in one layer that reads one
            way, and XLA compiles its whole training step. See ntm.py.
        defaults: of a search of this cell alone, where they are not those of other cells: fields of `Spec`.

    `recurrent kernels` measures these seconds.
    """

    gates: int
    inits: tuple[str, ...] = ("default",)
    keep_gate: str = ""
    cudnn: bool = False
    xla_compile_seconds: float | None = None
    xla_saved_seconds: float = 0.0
    native_saved_seconds: float = 0.0
    step_seconds: float = 0.0
    memory: bool = False
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def names() -> list[str]:
    """All cells, the plainest first."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")
    return sorted(found, key=lambda name: name != "simple_rnn")


def searched() -> list[str]:
    """The cells of a search that does not name its cells."""
    return [name for name in names() if not facts(name).memory]


def with_memory(used: Iterable[str]) -> list[str]:
    """Those of the cells `used` that have a memory."""
    return [name for name in dict.fromkeys(used) if facts(name).memory]


def load(name: str) -> ModuleType:
    """The cell's module. Raises SpaceError for an unknown name."""
    if name not in names():
        raise UnknownName("cells", name, names())
    return importlib.import_module(f"search_spaces.cells.{name}")


def facts(name: str) -> Facts:
    """What is known of a cell. Raises SpaceError for an unknown name."""
    found: Facts = load(name).FACTS
    return found


def all_inits() -> list[str]:
    """Every initialisation that a cell knows; the cell that knows most gives the order."""
    of_cells = sorted((facts(name).inits for name in names()), key=len, reverse=True)
    return list(dict.fromkeys(init for of_cell in of_cells for init in of_cell))


def with_keep_gate() -> list[str]:
    """The cells that have a keep gate, in the reverse order of `names`."""
    return [name for name in reversed(names()) if facts(name).keep_gate]
