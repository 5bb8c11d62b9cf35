"""A model of a search as a folder of verified files: `model.keras`, `model.json`, and what deploy/pack.py adds."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Metric, Run

from tracking.choosing import BEST, Choice, chosen
from tracking.deploy.pack import LONGEST, PLAIN, Packing, contents, pack
from tracking.deploy.samples import Samples
from tracking.errors import BadInput, SearchStateError, StoreError
from tracking.executions import reason
from tracking.finals import exported_final
from tracking.formats.keras import FILE as KERAS
from tracking.journal import now
from tracking.model_files import download
from tracking.model_folder import CARD
from tracking.models import final_model, logged_models, retrained_models
from tracking.report.made import command
from tracking.results import results
from tracking.searches import search_name, spec_of
from tracking.store import read_only, working
from tracking.trained import trained
from tracking.verdict import verdict

# The recorded score and that of the reloaded model are sums in different orders. Their last digits differ in float32.
# A score of any size may differ by RELATIVE. A score near zero may differ by ABSOLUTE.
RELATIVE, ABSOLUTE = 1e-5, 1e-9
COSTS = ("seconds", "ms_per_step", "flops_per_token")  # of the training, as the record has them


class Score(Protocol):
    """Scores saved models; `SavedScorer` of experiments/training/scoring.py is one.

    Called with a `.keras` file, the name of a split and the seed of the data, None for that of the search, it returns
    the metric and its grain. The grain is how much rounding alone may change the metric.
    """

    def __call__(self, file: Path, split: str, seed: int | None = None) -> tuple[float, float]: ...

    def samples(self, most: int, seed: int | None = None) -> Samples: ...

    def about(self) -> dict[str, Any]: ...


def export(
    client: MlflowClient,
    uri: str,
    parent: Run,
    to: Path,
    score: Score,
    prepare: Callable[[Path], None],
    warn: Callable[[str], None],
    choice: Choice | None = None,
    packing: Packing = PLAIN,
) -> dict[str, Any]:
    """Copies the model, reloads and re-scores it, scores it on the test split, and only then puts it in place.

    Long because it describes its arguments.

    Args:
        score: scores the reloaded model.
        prepare: changes the copy of the logged `.keras` file into the file that is exported, before it is scored.
        warn: is told if the store does not take the test score, or if a better model is not kept. The export goes on.
        choice: which model; None for the best one, or that of complete finals.
        packing: the formats that are written and checked.

    Returns the card, with `test_score`. Raises BadInput if `to` cannot be made or holds something else. Raises
    SearchStateError if there is no model that fits, or if the reloaded model does not score what the record says.
    """
    name, choice = search_name(parent), choice or BEST
    check_target(to, name)
    to = to.resolve()
    model, trial = handed_over(client, parent, choice, warn)
    with _beside(to) as folder:
        file, card = download(client, uri, model, Path(folder))
        card |= _known(parent, card, choice, trial) | {"cost": _cost(client, card["run_id"])}
        prepare(file)
        seed = card.get("final", {}).get("data_seed")
        card["rescored"] = _rescored(file, card, score, seed)
        card["test_score"], _ = score(file, "test", seed)
        about = score.about()
        typed = {name: about["options"].get(name, text) for name, text in card["options"].items()}
        card |= {**about, "options": typed}
        whole = Path(folder) / name
        whole.mkdir()
        file.replace(whole / KERAS)
        pack(whole, card, packing, lambda: score.samples(LONGEST, seed), warn)
        _place(whole, to)
    _record_test(client, uri, model, card, warn)
    return card


def _known(parent: Run, card: dict[str, Any], choice: Choice, trial: dict[str, Any]) -> dict[str, Any]:
    """What the record knows of the model besides its logged card.

    An early version did not write down which score counts as solved.
    """
    solved = card.get("solved")
    judged = verdict(card["model_score"], card["direction"], card["floors"], solved)
    return {
        "search": search_name(parent),  # it may have been renamed
        "chosen": str(choice),
        "executions": trial["executions"],
        "solved": solved,
        "verdict": None if judged is None else str(judged),
        "execution_reason": reason(trial["executions"], card["direction"], card["execution"]),
        "interval": trial.get("interval"),
        "longer": trial.get("longer", {}),
        "horizon": trial.get("horizon") or {},
        "command": command(spec_of(parent)),
    }


def _cost(client: MlflowClient, run_id: str) -> dict[str, float | None]:
    """What the training of the model has cost; None for what the record does not know."""
    metrics = client.get_run(run_id).data.metrics
    return {name: metrics.get(f"cost/{name}") for name in COSTS}


def _beside(to: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder on the same disk as `to`."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=to.parent, prefix=".export.")
    except OSError as error:
        raise BadInput(f"--to: expected a folder that can be made, got {str(to)!r}: {error.strerror}") from None


def handed_over(
    client: MlflowClient, parent: Run, choice: Choice, warn: Callable[[str], None]
) -> tuple[LoggedModel, dict[str, Any]]:
    """The model, and what stands for its trial. If nothing is asked and the finals are complete, it is theirs."""
    if choice.run is not None:
        return _of_run(client, parent, choice.run, warn)
    return (_final_model(client, parent) if choice == BEST else None) or chosen(client, parent, choice, warn)


def _of_run(
    client: MlflowClient, parent: Run, run: str, warn: Callable[[str], None]
) -> tuple[LoggedModel, dict[str, Any]]:
    """The model of a run of the search. Raises BadInput if the run has none, with those that have one."""
    models, again = logged_models(client, parent), retrained_models(client, parent)
    training = next((one for one in trained(client, parent) if one["training"] == run), None)
    if training and not training["complete"]:
        got = f"{len(training['seeds'])} of {training['planned']} seeds of the training {run} have a score"
        if run not in again:
            raise SearchStateError(f"--run: expected a training that has ended, got {run!r}: {got}")
        warn(f"{got}; this is the model of an earlier call, which had fewer")
    if run in again:
        score = client.get_run(again[run].source_run_id).data.metrics.get(f"best/{spec_of(parent)['metric']}")
        return again[run], {"executions": [score]}
    if run not in models:
        names = sorted(name for name in again if "-" in name)
        known = f"the id of one, or a training: {', '.join(names)}" if names else "the id of one"
        raise BadInput(f"--run: expected a run with a model ({known}), got {run!r}")
    trials = results(client, parent)["trials"]
    return models[run], next(trial for trial in trials if trial["run_id"] == run)


def _final_model(client: MlflowClient, parent: Run) -> tuple[LoggedModel, dict[str, Any]] | None:
    """The model of the winner's middle seed with what stands for its executions; None if the finals are not complete.

    Raises SearchStateError if the store lacks the model.
    """
    found = results(client, parent)
    if not found["finals"] or not found["finals"]["complete"]:
        return None
    final, model = exported_final(found["finals"], found["direction"]), final_model(client, parent)
    winner = next(one for one in found["finals"]["candidates"] if one["trial"] == found["finals"]["winner"])
    if model is None or model.source_run_id != final["run_id"]:
        expected = f"the model of the finals, of trial {final['candidate']} and seed {final['seed']}, in MLflow"
        raise SearchStateError(
            f"export: expected {expected}, got none; `recurrent sync {search_name(parent)}` sends it"
        )
    interval = {key: winner[key] for key in ("mean", "low", "high")} | {"seeds": len(winner["test"])}
    longer = {factor: fmean(scores) for factor, scores in winner["longer"].items()}
    found = {"interval": interval if winner["mean"] is not None else None, "longer": longer}
    return model, {"executions": [final["score"]], **found}


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
        earlier = json.loads((to / CARD).read_text("utf-8"))
        ours = earlier.get("search") == name
    except (OSError, ValueError, AttributeError):
        earlier, ours = {}, False
    foreign = {*contents(to)} - {*(earlier.get("contents") or (KERAS, CARD))} if ours else set()
    if not ours or foreign:
        got = f"{str(to)!r}, which also has {min(foreign)}" if foreign else repr(str(to))
        raise BadInput(f"--to: expected a new folder, or an earlier export of {name!r}, got {got}")


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


def _place(whole: Path, to: Path) -> None:
    """Puts the finished folder in place by one rename. An earlier export keeps each file until the new one is there."""
    if not to.exists():
        whole.replace(to)
        return
    for old in [path for path in to.iterdir() if not (whole / path.name).exists()]:
        old.replace(whole.with_name(f"old {old.name}"))  # it goes with the temporary folder
    for new in whole.iterdir():
        if new.is_dir() and (to / new.name).exists():  # a folder with files cannot be replaced by a rename
            (to / new.name).replace(whole.with_name(f"old {new.name}"))
        new.replace(to / new.name)
