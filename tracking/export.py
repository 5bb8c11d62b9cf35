"""A model of a search as two verified files: `model.keras`, of stock Keras layers, and `model.json`."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Metric, Run

from tracking.as_json import as_json
from tracking.choosing import BEST, Choice, chosen
from tracking.errors import BadInput, SearchStateError, StoreError
from tracking.executions import reason
from tracking.finals import exported_final
from tracking.journal import now
from tracking.model_folder import CARD
from tracking.models import download, final_model
from tracking.results import results
from tracking.searches import search_name
from tracking.store import read_only, working
from tracking.verdict import verdict

KERAS = "model.keras"
# The recorded score and that of the reloaded model are sums in different orders. Their last digits differ in float32.
# A score of any size may differ by RELATIVE. A score near zero may differ by ABSOLUTE.
RELATIVE, ABSOLUTE = 1e-5, 1e-9

Score = Callable[[Path, str, int | None], tuple[float, float]]


def export(
    client: MlflowClient,
    uri: str,
    parent: Run,
    to: Path,
    score: Score,
    prepare: Callable[[Path], None],
    warn: Callable[[str], None],
    choice: Choice = BEST,
) -> dict[str, Any]:
    """Copies the model, reloads and re-scores it, scores it on the test split, and only then puts it in place.

    Args:
        score: the metric of the model in a `.keras` file on a split, "val" or "test", of the data of a seed, None for
            that of the search; and its grain. The grain is how much rounding alone may change the metric.
        prepare: changes the copy of the logged `.keras` file into the file that is exported, before it is scored.
        warn: is told if the store does not take the test score, or if a better model is not kept. The export goes on.
        choice: which model.

    Returns the card, with `test_score`. Raises BadInput if `to` cannot be made or holds something else. Raises
    SearchStateError if there is no model that fits, or if the reloaded model does not score what the record says.
    """
    name = search_name(parent)
    check_target(to, name)
    to = to.resolve()
    model, trial = _model(client, parent, choice, warn)
    with _beside(to) as folder:
        file, card = download(client, uri, model, Path(folder))
        card["search"] = name  # it may have been renamed
        card["chosen"] = str(choice)
        card["executions"] = trial["executions"]
        card |= _worth(card)
        card["execution_reason"] = reason(trial["executions"], card["direction"], card["execution"])
        prepare(file)
        seed = card.get("final", {}).get("data_seed")
        card["rescored"] = _rescored(file, card, score, seed)
        card["test_score"], _ = score(file, "test", seed)
        _place(file, card, to)
    _record_test(client, uri, model, card, warn)
    return card


def _worth(card: dict[str, Any]) -> dict[str, Any]:
    """The score that counts as solved, which an early version did not write down, and the verdict in words."""
    solved = card.get("solved")
    judged = verdict(card["model_score"], card["direction"], card["floors"], solved)
    return {"solved": solved, "verdict": None if judged is None else str(judged)}


def _beside(to: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder on the same disk as `to`."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=to.parent, prefix=".export.")
    except OSError as error:
        raise BadInput(f"--to: expected a folder that can be made, got {str(to)!r}: {error.strerror}") from None


def _model(
    client: MlflowClient, parent: Run, choice: Choice, warn: Callable[[str], None]
) -> tuple[LoggedModel, dict[str, Any]]:
    """The model, and what stands for its trial. If nothing is asked and the finals are complete, it is theirs."""
    return (_final_model(client, parent) if choice == BEST else None) or chosen(client, parent, choice, warn)


def _final_model(client: MlflowClient, parent: Run) -> tuple[LoggedModel, dict[str, Any]] | None:
    """The model of the winner's middle seed with what stands for its executions; None if the finals are not complete.

    Raises SearchStateError if the store lacks the model.
    """
    found = results(client, parent)
    if not found["finals"] or not found["finals"]["complete"]:
        return None
    final, model = exported_final(found["finals"], found["direction"]), final_model(client, parent)
    if model is None or model.source_run_id != final["run_id"]:
        expected = f"the model of the finals, of trial {final['candidate']} and seed {final['seed']}, in MLflow"
        raise SearchStateError(
            f"export: expected {expected}, got none; `recurrent sync {search_name(parent)}` sends it"
        )
    return model, {"executions": [final["score"]]}


def check_target(to: Path, name: str) -> None:
    """Raises BadInput unless `to` is free, or holds an earlier export of the same search."""
    try:
        to.exists()
    except OSError as error:  # for example a name that is too long
        raise BadInput(f"--to: expected a folder that can be made, got {str(to)!r}: {error.strerror}") from None
    over = next(parent for parent in to.absolute().parents if parent.exists())
    if not over.is_dir():
        raise BadInput(f"--to: expected a new folder, got {str(to)!r}, and {over.name!r} is a file")
    if not to.exists() or (to.is_dir() and not any(to.iterdir())):
        return
    try:
        earlier = json.loads((to / CARD).read_text("utf-8")).get("search")
    except (OSError, ValueError, AttributeError):
        earlier = None
    if earlier != name or {path.name for path in to.glob("*")} - {KERAS, CARD}:
        raise BadInput(f"--to: expected a new folder, or an earlier export of {name!r}, got {str(to)!r}")


def _rescored(file: Path, card: dict[str, Any], score: Score, seed: int | None) -> float:
    (found, grain), recorded = score(file, "val", seed), card["model_score"]
    if not abs(found - recorded) <= max(RELATIVE * abs(recorded), grain) + ABSOLUTE:
        raise SearchStateError(
            f"export: expected the reloaded model to score {recorded:.9g} on validation,"
            f" as recorded, got {found:.9g}; nothing was exported"
        )
    return found


def _record_test(
    client: MlflowClient, uri: str, model: LoggedModel, card: dict[str, Any], warn: Callable[[str], None]
) -> None:
    """Gives the test score to the trial's run and to its model."""
    if read_only(client.tracking_uri):
        return
    key = f"test/{card['metric']}"
    try:
        with working(uri):
            if key not in client.get_run(card["run_id"]).data.metrics:
                point = Metric(key, card["test_score"], now(), 0, model.model_id)
                client.log_batch(card["run_id"], [point])
    except StoreError as error:
        warn(f"the test score is not in the record: {error}")


def _place(file: Path, card: dict[str, Any], to: Path) -> None:
    """Replaces each file in one step, so an earlier export keeps its file until the new one is there."""
    described = file.with_name(CARD)
    described.write_text(as_json(card, ensure_ascii=False) + "\n", "utf-8")
    to.mkdir(exist_ok=True)
    file.replace(to / KERAS)
    described.replace(to / CARD)
