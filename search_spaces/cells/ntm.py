"""The Neural Turing machine (Graves, Wayne & Danihelka 2014, arXiv:1410.5401): a network that has a memory.

Its equations stand in search_spaces/ntm.py. It is trained as in the paper: one sequence at a time, RMSprop with
momentum and clipped gradients. Trainings from different seeds can end very differently, so each candidate has three.
"""

from typing import TYPE_CHECKING, Any

from search_spaces.cells import Facts

if TYPE_CHECKING:
    import keras

FACTS = Facts(
    gates=1,
    step_seconds=7e-5,
    memory=True,
    defaults={
        "depth": "1",
        "width": "96:128",
        "learning_rate": "0.00005:0.0002",
        "optimizer": "rmsprop",
        "momentum": "0.9",
        "clip": "10",
        "batch": 1,
        "executions": 3,
        "epochs": 4,
        "trials": 4,
    },
)


def layer(width: int, return_sequences: bool, name: str, kernel: str = "loop", **start: Any) -> "keras.layers.Layer":
    """`start` has the rows and the columns of the memory, and the controller. There is one kernel, "loop"."""
    import keras

    from search_spaces.ntm import NTMCell

    return keras.layers.RNN(NTMCell(width, **start), return_sequences=return_sequences, name=name)
