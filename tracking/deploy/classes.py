"""Classes that Keras does not have: a model of such layers takes the files of their classes along.

A `.keras` file names the module of each class. A file of a class needs Keras alone, so it works beside the model, too.
"""

import json
import shutil
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "search_spaces."  # where the classes of our cells stand; a model file names no other module that is run


def modules(keras_file: Path) -> list[str]:
    """The modules of the classes in a `.keras` file that Keras does not have. A file that is broken has none."""
    try:
        with zipfile.ZipFile(keras_file) as file:
            config = json.loads(file.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):  # whoever loads it says what is wrong
        return []
    return sorted({name for name in _modules(config) if name.startswith(PACKAGE)})


def bring(keras_file: Path, folder: Path) -> list[str]:
    """Copies the files of these modules into a folder; returns their names."""
    found = [find_spec(name) for name in modules(keras_file)]
    files = [Path(one.origin) for one in found if one is not None and one.origin]
    for file in files:
        shutil.copyfile(file, folder / file.name)
    return [file.name for file in files]


def _modules(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        if config.get("registered_name") and isinstance(config.get("module"), str):
            yield config["module"]
        for value in config.values():
            yield from _modules(value)
    elif isinstance(config, list):
        for value in config:
            yield from _modules(value)
