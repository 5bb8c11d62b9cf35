"""The README.md of an export: what the model is, how good it is, and how to run it. `page.md.j2` is its text."""

from typing import Any

from tracking import formats
from tracking.text import (
    format_amount,
    format_count,
    format_duration,
    format_half_life,
    format_number,
    marks_line,
    metric_name,
)

# How to read x in each runtime. A test runs these lines in an environment that has only this runtime.
CODE = {
    "keras": """\
import keras

model = keras.models.load_model("model.keras", compile=False)
print(model.predict(x, verbose=0))""",
    "savedmodel": """\
import tensorflow as tf

model = tf.saved_model.load("savedmodel/1")
print(model.serve(tf.constant(x)).numpy())""",
    "onnx": """\
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
print(session.run(None, {"x": x})[0])""",
    "litert": """\
from ai_edge_litert.interpreter import Interpreter

step = Interpreter("model-step.tflite").get_signature_runner()
states = {name: np.zeros(one["shape"], np.float32) for name, one in step.get_input_details().items() if name != "x"}
for now in x[0]:
    answer = step(x=now[None], **states)
    states = {name: answer[f"next_{name}"] for name in states}
print(answer["output"])""",
}


def page(card: dict[str, Any]) -> str:
    """The page, in Markdown."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    world = Environment(loader=PackageLoader("tracking.deploy", "."), undefined=StrictUndefined)
    world.filters |= {"number": format_number, "count": format_count, "code": "`{}`".format}
    horizon, translates = card.get("horizon") or {}, "source_steps" in card["preprocessing"]
    return (
        world.get_template("page.md.j2").render(
            card={"interval": None, "trained": None, **card},
            code=_code(card.get("class_files", [])),
            meant={name: formats.load(name).MEANT for name in card["formats"]},
            metric=metric_name(card["metric"]),
            marks=marks_line(card["floors"], card["solved"], card["direction"]) or "none are known",
            sequences=_sequences(card),
            stream=_is_stream(card),
            cost=_cost(card["cost"]),
            half_life=format_half_life(horizon, "", "_50") if "half_life_50" in horizon else "",
            steps=card["formats"][formats.FIRST]["steps"],
            shape=(1, card["steps"] if translates else 20, *card["shapes"]["input"]["shape"][2:]),
            example=example_source(card["preprocessing"]) if translates else "",
            per_step=len(card["shapes"]["output"]["shape"]) == 3,
        )
        + "\n"
    )


def _code(class_files: list[str]) -> dict[str, str]:
    """How to read x in each runtime. Keras must know the classes of a model before it loads the model."""
    known = "".join(
        f"import {name.removesuffix('.py')}  # {name}: a class that Keras does not have\n" for name in class_files
    )
    return {**CODE, "keras": CODE["keras"].replace("import keras\n", f"import keras\n{known}")}


def example_source(about: dict[str, Any]) -> str:
    """The first symbols of a source's vocabulary behind the special ones. A sample would hand on the user's data."""
    between = "" if about["units"][0] in ("characters", "smiles") else " "
    return between.join(about["source_vocabulary"][4:8])


def _is_stream(card: dict[str, Any]) -> bool:
    """True for a model of one long text."""
    return "vocabulary" in card["preprocessing"] and not card["preprocessing"].get("lines")


def _sequences(card: dict[str, Any]) -> str:
    """How long the sequences are that it was trained and tested on."""
    steps = format_count(card["steps"])
    if _is_stream(card):
        return f"It was trained on windows of {steps} steps of a text and tested on a whole text."
    return f"It was trained and tested on sequences of up to {steps} steps."


def _cost(cost: dict[str, float | None]) -> str:
    """What the training has cost, in words; "" if the record does not know."""
    if cost["seconds"] is None:
        return ""
    text = format_duration(cost["seconds"])
    if cost["ms_per_step"] is not None:
        text += f", {format_amount(cost['ms_per_step'])} ms for a training step"
    return text + (
        f"; one time step takes {format_amount(cost['flops_per_token'])} operations" if cost["flops_per_token"] else ""
    )
