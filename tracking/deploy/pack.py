"""Puts a model into a folder in the formats that are asked for, each one checked, with all that its user needs.

model.keras, savedmodel/1/, model.onnx, …   the formats
model.json                                  what the model is, for programs
README.md                                   the same for people, and how to run it
addressing.png                              where a machine looks in its memory, of models that have one
predict.py                                  answers with any of the formats
requirements-onnx.txt, …                    what a format needs
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from mlflow.models import Model

from tracking import addressing, formats
from tracking.as_json import as_json
from tracking.deploy import classes, predict
from tracking.deploy.layers import CannotWrite
from tracking.deploy.page import page
from tracking.deploy.samples import Samples
from tracking.deploy.verify import Run, answered, difference
from tracking.errors import BadInput, SearchStateError
from tracking.formats.keras import FILE
from tracking.model_folder import CARD, PREDICT, write_model
from tracking.text import format_number

PAGE, SERVED, ADDRESSING = "README.md", "mlflow", "addressing.png"
LONGEST = 2**24  # numbers in the outputs that are compared; a split with more is cut
# LiteRT reads one step at a time, so the check of more steps would take longer than a minute.
STEPS = {"litert": 100_000}
# Two runtimes add in different orders. In float32 their outputs differ by less than this share of the largest output.
DIFFERENCE = 1e-5
# The second file of a format has the same weights as the first one, whose score is checked. So a rough look is enough.
QUANTIZED_DIFFERENCE = 0.5
FURTHER_STEPS = 2_000  # of the check of a second file
QUANTIZED = ("none", "float16", "int8")
TOLERANCE = 0.01


@dataclass(frozen=True)
class Packing:
    """What is asked of an export.

    Args:
        names: of the formats, as `formats.parse` returns them.
        all: all formats were asked for, so one whose package is missing is left out.
        length: of the sequences of a LiteRT file for whole sequences; 0 for none.
        quantize: of the weights of LiteRT files: "none", "float16" or "int8".
        tolerance: how much worse a quantised model may score, as a share of the way from the weakest floor.
    """

    names: tuple[str, ...] = (formats.FIRST,)
    all: bool = False
    length: int = 0
    quantize: str = "none"
    tolerance: float = TOLERANCE


PLAIN = Packing()


def contents(folder: Path) -> list[str]:
    """All files in a folder, without what Python compiles beside them."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    return sorted(path.relative_to(folder).as_posix() for path in files)


def check(packing: Packing) -> None:
    """Raises BadInput for a format that was asked for by its name and whose package is missing."""
    for name in () if packing.all else packing.names:
        if module := formats.missing(name):
            raise BadInput(f"--format: expected {module} for {name}, got an installation without it; {_install(name)}")


def pack(
    folder: Path, card: dict[str, Any], packing: Packing, samples: Callable[[], Samples], warn: Callable[[str], None]
) -> None:
    """Writes all files beside `model.keras`. `card` gets `formats`, what is known of each.

    Keras' own file has been scored before. It is run and measured again only beside other formats, which are compared
    with it.

    Args:
        samples: makes what the formats are compared on.
        warn: is told, in a line, of a format that is not written.

    Raises SearchStateError if stock Keras cannot run the model.
    """
    shutil.copyfile(predict.__file__, folder / PREDICT)
    if classes.modules(folder / FILE):
        _bring_classes(folder, card, samples)
    _require(folder, formats.FIRST)
    score, size = card["rescored"], (folder / FILE).stat().st_size
    own = {"files": [FILE], "bytes": size, "score": score, "score_of_keras": score, "whole_split": True}
    card["formats"] = {
        formats.FIRST: {
            **own,
            "difference": 0.0,
            "seconds": None,
            "steps": None,
            "peak_bytes": None,
            "quantize": "none",
        }
    }
    if packing.names != (formats.FIRST,):
        _others(folder, card, packing, samples(), warn)
    _write_card(folder, card)
    (folder / PAGE).write_text(page(card), "utf-8")
    (folder / SERVED).mkdir()
    write_model(folder / SERVED, Model(), folder / FILE, card)
    card["contents"] = contents(folder)
    _write_card(folder, card)


def _bring_classes(folder: Path, card: dict[str, Any], samples: Callable[[], Samples]) -> None:
    """Brings the classes that Keras does not have. Draws what a machine with a memory does with a long sequence."""
    import keras

    card["class_files"] = classes.bring(folder / FILE, folder)
    model = keras.models.load_model(folder / FILE, compile=False)
    if addressing.with_memory(model) is not None:
        found = samples()
        scored = found.scored.reshape(len(found.x), -1).sum(axis=1)
        addressing.draw(model, found.x[scored.argmax()], folder / ADDRESSING)


def _others(
    folder: Path, card: dict[str, Any], packing: Packing, samples: Samples, warn: Callable[[str], None]
) -> None:
    import keras

    _write_card(folder, card)  # predict.py reads it
    model = keras.models.load_model(folder / FILE, compile=False)
    first = answered(folder, formats.FIRST, samples)
    card["formats"][formats.FIRST] |= {"seconds": first.seconds, "steps": first.steps, "peak_bytes": first.peak}
    for name in packing.names[1:]:
        try:
            card["formats"][name] = _packed(folder, name, model, card, packing, samples, first)
            _require(folder, name)
        except (CannotWrite, SearchStateError) as error:
            warn(f"{name} is not written: {str(error).removeprefix(f'{name}: ')}")
        except Exception as error:  # a converter raises many kinds; the other formats are written all the same
            said = next(iter(str(error).splitlines()), "")
            warn(f"{name} is not written: {type(error).__name__}: {said}")


def _packed(
    folder: Path, name: str, model: Any, card: dict[str, Any], packing: Packing, samples: Samples, first: Run
) -> dict[str, Any]:
    """Writes one format; returns what was measured of it. A format that does not hold leaves no files."""
    if module := formats.missing(name):
        raise CannotWrite(f"{module} is not installed; {_install(name)}")
    form, before = formats.load(name), {*folder.iterdir()}
    try:
        files = form.write(model, folder, formats.Wanted(card, packing.length, packing.quantize))
        read = samples.first(STEPS.get(name, samples.x.size))
        expected = first.outputs[tuple(map(slice, read.scored.shape))]
        run = answered(folder, name, read)
        score, wanted = (read.score(read.y, outputs) for outputs in (run.outputs, expected))
        apart = difference(run.outputs, expected, read)
        checked = packing if name == "litert" else PLAIN
        _check(card, checked, apart, score, wanted)
        if files[1:]:
            _check_further(folder, form.FURTHER, card, checked, samples)
    except BaseException:
        for path in {*folder.iterdir()} - before:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise
    size = sum(path.stat().st_size for file in files for path in _files(folder / file))
    return {
        "files": files,
        "bytes": size,
        "score": score,
        "score_of_keras": wanted,
        "whole_split": read.whole,
        "difference": apart,
        "seconds": run.seconds,
        "steps": run.steps,
        "peak_bytes": run.peak,
        "quantize": packing.quantize if name == "litert" else "none",
    }


def _check_further(folder: Path, name: str, card: dict[str, Any], packing: Packing, samples: Samples) -> None:
    """Runs the other file of a format: the step by itself, or sequences of one length. Raises CannotWrite."""
    read = samples.first(FURTHER_STEPS)
    if name == "litert-whole":
        read = samples.of_length(packing.length, card["preprocessing"].get("padding"))
    expected, run = (answered(folder, one, read) for one in (formats.FIRST, name))
    apart = difference(run.outputs, expected.outputs, read)
    most = DIFFERENCE if packing.quantize == "none" else QUANTIZED_DIFFERENCE
    if not apart <= most:
        raise CannotWrite(f"{name}: expected outputs within {most:g} of the largest one, got {apart:.2g}")


def _check(card: dict[str, Any], packing: Packing, apart: float, score: float, wanted: float) -> None:
    """Raises CannotWrite if outputs, or with quantised weights the score, are not near enough to those of Keras."""
    if packing.quantize == "none":
        if not apart <= DIFFERENCE:
            largest = f"{DIFFERENCE:g} of the largest output at most"
            raise CannotWrite(f"expected outputs that differ from those of Keras by {largest}, got {apart:.2g}")
        return
    sign = 1 if card["direction"] == "min" else -1
    weakest = sign * max((sign * floor for floor in card["floors"].values()), default=0.0)
    worse = sign * (score - wanted)
    if not worse <= packing.tolerance * abs(weakest - wanted):
        change = f"from {format_number(wanted)} to {format_number(score)}"
        raise CannotWrite(f"{packing.quantize} weights change the score {change}, more than --tolerance allows")


def _require(folder: Path, name: str) -> None:
    """Writes what a format needs, in the versions that are here."""
    names = packages_distributions()  # onnxruntime may have come as onnxruntime-gpu
    packages = [names[module][0] for module in (*formats.load(name).RUNTIME, "numpy")]
    (folder / f"requirements-{name}.txt").write_text("".join(f"{one}=={version(one)}\n" for one in packages))


def _install(name: str) -> str:
    return f'`pip install "recurrent-search[{formats.load(name).EXTRA}]"` brings it'


def _write_card(folder: Path, card: dict[str, Any]) -> None:
    (folder / CARD).write_text(as_json(card, ensure_ascii=False) + "\n", "utf-8")


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
