"""The code of a logged model: MLflow runs a copy of it, `model.py` beside the model. It imports nothing of ours.

A language model reads one column, `prompt`, and writes what follows. An encoder and a decoder read `source` and answer
the target. Any other model reads one column, `sequence`, a list of steps, or of lists of features; it answers classes
with their probabilities, the probabilities of bits, or numbers.
"""

import runpy
import threading
import warnings
from pathlib import Path
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel


class Refused(MlflowException):
    """The answer 400. MLflow's server would put all of the input before the message; so the message cannot change."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text, error_code=INVALID_PARAMETER_VALUE)

    @property
    def message(self) -> str:
        return self.text

    @message.setter
    def message(self, longer: str) -> None:
        """Leaves the message as it is."""


# MLflow would make the schema of type hints. The signature beside the model says it better.
warnings.filterwarnings("ignore", ".*Add type hints to the `predict` method")


class Recurrent(PythonModel):
    """Answers with `model.keras` in Keras, as predict.py does."""

    def load_context(self, context: Any) -> None:
        folder = Path(context.artifacts["keras"]).parent
        self.tools = runpy.run_path(context.artifacts["predict"])
        beside = Path(context.artifacts["card"]).parent
        self.card = self.tools["read_card"](beside)
        self.tools["know_classes"](beside)
        self.one_text = threading.Lock()  # a reader of texts keeps the state of one text
        self.writes, self.translates = (key in self.card["preprocessing"] for key in ("vocabulary", "source_steps"))
        if self.writes:
            self.begin = self.tools["text_keras"](folder)
        else:
            self.model = self.tools["from_keras"](folder)

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # MLflow reads types as a schema
        try:
            if self.writes:
                return [self._text(prompt, params or {}) for prompt in model_input["prompt"]]
            if self.translates:
                sources = list(model_input["source"])
                return self.tools["translated"](self.model, self.card, sources) if sources else []
            rows = [self.tools["sequence"](one, self.card) for one in model_input["sequence"]]
            return self._answers(rows)
        except self.tools["Unfit"] as error:
            raise Refused(str(error)) from None

    def _text(self, prompt: str, params: dict[str, Any]) -> str:
        with self.one_text:
            return str(self.tools["continued"](self.begin, self.card, prompt, **params))

    def _answers(self, rows: list[Any]) -> list[Any]:
        batches = self.tools["batches"](iter(rows), self.card)
        return [self.tools["answers"](outputs, self.card) for x in batches for outputs in self.model(x)]


mlflow.models.set_model(Recurrent())
