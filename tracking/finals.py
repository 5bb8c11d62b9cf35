"""The finals of a search, read only from MLflow: how good each candidate is, and how sure that is.

Every choice is made on validation: the winner, and the seed whose model is exported. The test scores are reported.
"""

import json
from collections.abc import Mapping
from statistics import fmean, median_high
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from tracking.children import trial_runs
from tracking.executions import middle, reason
from tracking.searches import spec_of
from tracking.statistics import Comparison, compare, estimate
from tracking.tags import ours
from tracking.text import format_number, format_spread, metric_name

Candidate = dict[str, Any]
SMALL = 0.0001  # a p below it is not said exactly


def finals(client: MlflowClient, parent: Run, scores: Mapping[str, float]) -> dict[str, Any] | None:
    """The finals of a search as one JSON object; None if it has none, or if none has ended.

    Args:
        scores: of the trials in the search, by name.
    """
    plan = plan_of(parent)
    if plan is None:
        return None
    spec = spec_of(parent)
    runs = [same[0] for same in trial_runs(client, parent, "final").values()]
    return summary(runs, plan, spec, parent.data.metrics.get(f"solved/{spec['metric']}"), scores)


def plan_of(parent: Run) -> dict[str, Any] | None:
    """What the finals of a search are, as its run says it; None if it has no finals."""
    text = ours(parent.data.tags).get("finals_plan")
    return dict(json.loads(text)) if text else None


def summary(
    runs: list[Run], plan: dict[str, Any], spec: dict[str, Any], solved: float | None, scores: Mapping[str, float]
) -> dict[str, Any] | None:
    """See `finals`.

    Args:
        runs: of the finals.
        solved: the score from which on the task counts as solved, or None.
    """
    metric, direction = spec["metric"], spec["direction"]
    grouped: dict[str, list[Run]] = {}
    # A run gets these tags after it is made.
    known = [run for run in runs if "seed" in ours(run.data.tags) and "data" not in ours(run.data.tags)]
    for run in sorted(known, key=lambda run: int(ours(run.data.tags)["seed"])):
        grouped.setdefault(ours(run.data.tags)["candidate"], []).append(run)
    found = [_candidate(name, some, metric, direction, solved, scores) for name, some in grouped.items()]
    candidates = sorted((one for one in found if one["validation"]), key=lambda one: _rank(one, direction))
    if not candidates:
        return None
    winner, every = candidates[0], runs
    runs = [run for run in runs if "data" not in ours(run.data.tags)]
    ended = sum(run.info.status in ("FINISHED", "FAILED") for run in runs)
    curse = None if winner["search_score"] is None else winner["search_score"] - fmean(winner["validation"])
    return {
        "winner": winner["trial"],
        "complete": ended >= plan["planned"],
        **{name: plan[name] for name in ("seeds", "epochs", "lengths")},
        "candidates": candidates,
        "comparisons": _comparisons(candidates, metric, direction),
        "curse": curse,
        "lost": [one["trial"] for one in found if not one["validation"] and one["failed"]],
        "whole": next((one for run in every if (one := _whole(run, winner, metric, direction))), None),
    }


def _whole(run: Run, winner: Candidate, metric: str, direction: str) -> dict[str, Any] | None:
    """A final of the winner's middle seed on training and validation data, with its median epochs; else None."""
    tags = ours(run.data.tags)
    wanted = {"candidate": winner["trial"], "seed": str(winner["seeds"][_middle(winner, direction)])}
    wanted["epochs"] = str(median_high(winner["best_epochs"]))
    if run.info.status != "FINISHED" or {name: tags.get(name) for name in wanted} != wanted:
        return None
    test = run.data.metrics.get(f"test/{metric}")
    about = {"trial": winner["trial"], "seed": int(wanted["seed"]), "epochs": int(wanted["epochs"])}
    return {**about, "test": test, "run_id": run.info.run_id}


def _middle(candidate: Candidate, direction: str) -> int:
    return middle(candidate["validation"], direction)


def _candidate(
    name: str, runs: list[Run], metric: str, direction: str, solved: float | None, scores: Mapping[str, float]
) -> Candidate:
    done = [run for run in runs if run.info.status == "FINISHED" and f"test/{metric}" in run.data.metrics]
    failed = sum(run.info.status == "FAILED" for run in runs)
    test = [run.data.metrics[f"test/{metric}"] for run in done]
    mean = estimate(test) if test else None
    params, worst = runs[0].data.params, max if direction == "min" else min
    counts = [run.data.metrics["cost/parameters"] for run in runs if "cost/parameters" in run.data.metrics]
    return {
        "trial": name,
        "architecture": params.get("architecture", ""),
        "cell": params.get("cell", ""),
        "parameters": int(counts[0]) if counts else None,
        "seeds": [int(ours(run.data.tags)["seed"]) for run in done],
        "failed": failed,
        "validation": [run.data.metrics[f"best/{metric}"] for run in done],
        "best_epochs": [1 + int(run.data.metrics["best/epoch"]) for run in done],
        "test": test,
        "longer": _longer(done, metric),
        **{key: getattr(mean, key, None) for key in ("mean", "sd", "low", "high")},
        "worst": worst(test, default=None),
        "solved": _share(test, failed, solved, direction),
        "search_score": scores.get(name),
        "run_ids": [run.info.run_id for run in done],
    }


def _share(test: list[float], failed: int, solved: float | None, direction: str) -> float | None:
    """The share of seeds that solve the task; None if it is not known. A seed that has failed has not solved it."""
    if solved is None or not test:
        return None
    reached = sum(score <= solved if direction == "min" else score >= solved for score in test)
    return reached / (len(test) + failed)


def _longer(runs: list[Run], metric: str) -> dict[str, list[float]]:
    """The test scores at longer lengths, by the factor."""
    found: dict[str, list[float]] = {}
    for run in runs:
        for key, value in run.data.metrics.items():
            if key.startswith("test_x") and key.endswith(f"/{metric}"):
                found.setdefault(key.removeprefix("test_x").removesuffix(f"/{metric}"), []).append(value)
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def _rank(candidate: Candidate, direction: str) -> tuple[Any, ...]:
    """The order of candidates: by the seeds that failed, then by the mean on validation, then by size."""
    mean = fmean(candidate["validation"]) * (1 if direction == "min" else -1)
    return candidate["failed"], mean, candidate["parameters"] or 0, candidate["trial"]


def _comparisons(candidates: list[Candidate], metric: str, direction: str) -> list[dict[str, Any]]:
    """The winner against each other candidate, on the test scores of the seeds that both have."""
    winner, pairs = candidates[0], len(candidates) * (len(candidates) - 1) // 2
    several = [_differences(winner, other, direction) for other in candidates[1:]]
    known = [(other, some) for other, some in zip(candidates[1:], several, strict=True) if some]
    judged = compare([some for _, some in known], pairs)
    return [
        {
            "winner": winner["trial"],
            "other": other["trial"],
            **{key: getattr(one, key) for key in ("difference", "low", "high", "p", "says", "needed")},
            "sentence": _sentence(winner, other, one, len(some), metric),
        }
        for (other, some), one in zip(known, judged, strict=True)
    ]


def _differences(winner: Candidate, other: Candidate, direction: str) -> list[float]:
    """By how much the winner is better, for each seed that both have."""
    sign, theirs = (1 if direction == "min" else -1), dict(zip(other["seeds"], other["test"], strict=True))
    own = zip(winner["seeds"], winner["test"], strict=True)
    return [sign * (theirs[seed] - score) for seed, score in own if seed in theirs]


def _sentence(winner: Candidate, other: Candidate, found: Comparison, seeds: int, metric: str) -> str:
    one, two = (f"{each['architecture']} (trial {each['trial']})" for each in (winner, other))
    if found.says == "cannot tell":
        enough = "" if found.needed is None else f"; about {found.needed} would"
        those = "this seed" if seeds == 1 else f"these {seeds} seeds"
        return f"{those} cannot tell {one} and {two} apart: {_size(found, metric)}{enough}"
    sure = f"p {format_spread(found.p)}" if found.p >= SMALL else f"p below {SMALL}"
    first, second = (one, two) if found.says == "better" else (two, one)
    return f"{first} is better than {second} on test: by {_size(found, metric)}, {sure}"


def _size(found: Comparison, metric: str) -> str:
    """A difference with its interval, above zero if it is certain."""
    bounds = [] if found.low is None or found.high is None else [found.low, found.high]
    sign = -1 if found.says == "worse" else 1
    mean, *interval = (format_number(sign * value, 3) for value in (found.difference, *bounds[::sign]))
    return f"{mean} {metric_name(metric)}" + (f" ({' to '.join(interval)})" if interval else "")


def exported_final(found: dict[str, Any], direction: str) -> dict[str, Any]:
    """Which final is exported: of the winner the middle seed on validation, by the rule of executions.

    If that seed was trained once more on training and validation data, it is that model.

    Returns its `run_id`, its `seed`, and `of` how many, the `validation` scores of all, the `reason` and the `data`.
    """
    winner = found["candidates"][0]
    scores = winner["validation"]
    kept = _middle(winner, direction)
    why = reason(scores, direction, kept) if len(scores) > 1 else "the only seed"
    return {
        "candidate": winner["trial"],
        "seed": winner["seeds"][kept],
        "of": len(scores),
        "validation": scores,
        "reason": why,
        "score": scores[kept],
        "run_id": winner["run_ids"][kept],
        **_trained_on(found["whole"]),
    }


def _trained_on(whole: dict[str, Any] | None) -> dict[str, Any]:
    """What is said of a model that was trained on validation data, too."""
    if whole is None:
        return {"data": "train"}
    return {"data": "train+val", "epochs": whole["epochs"], "run_id": whole["run_id"]}
