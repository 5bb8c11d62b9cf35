"""The formats of an export: one file each, found by its name. A new format is one new file and its test. A file has:

EXTRA     the extra of pip that installs its runtime, for example "onnx"; "" if every installation has it
RUNTIME   the modules with which it is run, for requirements-FORMAT.txt; NumPy comes with each
MODULES   what is imported to write it and to run it
BLOCKED   what its runtime does without; the process that checks the files cannot import these modules
FURTHER   the format's other file as deploy/predict.py names it, for example "onnx-steps"; "" if there is none
MEANT     where it is used, in a few words
write(model, folder, wanted) -> files    writes the files; raises CannotWrite with the reason

How its runtime answers stands in deploy/predict.py, which is copied beside the files, in the function `from_FORMAT`.
"""

import importlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from tracking.errors import BadInput
from tracking.text import did_you_mean

FIRST = "keras"  # every export has it
ALL = "all"


@dataclass(frozen=True)
class Wanted:
    """How the files of a format are to be.

    Args:
        card: what `model.json` holds.
        length: of the sequences of a LiteRT file for whole sequences; 0 for none.
        quantize: of the weights of LiteRT files: "none", "float16" or "int8".
    """

    card: dict[str, Any]
    length: int = 0
    quantize: str = "none"


def names() -> list[str]:
    """All formats; Keras' own is the first one."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")
    return sorted(found, key=lambda name: name != FIRST)


def load(name: str) -> ModuleType:
    """The module of a format."""
    return importlib.import_module(f"tracking.formats.{name}")


def parse(text: str) -> list[str]:
    """The formats of a list such as "onnx,litert", Keras' own always among them. Raises BadInput for an unknown one."""
    if text == ALL:
        return names()
    asked = [word.strip() for word in text.split(",")]
    for word in asked:
        if word not in names():
            known = [*names(), ALL]
            raise BadInput(f"--format: expected {', '.join(known)}, got {word!r}{did_you_mean(word, known)}")
    return [name for name in names() if name in (FIRST, *asked)]


def missing(name: str) -> str:
    """The first module of a format that is not installed; "" if all are."""
    return next((module for module in load(name).MODULES if find_spec(module) is None), "")
