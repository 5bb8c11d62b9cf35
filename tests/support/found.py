"""What `results` returns, written by hand: a search and its trials."""

from collections.abc import Sequence
from typing import Any

from tracking.standing import conclusions

RANGES = {"depth": "1:2", "width": "16:128", "learning_rate": "0.001:0.1", "dropout": "0"}


def trial(name: str, cell: str, score: float | None, **more: Any) -> dict[str, Any]:
    """A completed trial; without a score it is a failed one.

    Args:
        more: further fields. Those that are hyperparameters go to the values of the trial.
    """
    values = {"cell": cell, "depth": 1, "width": 32, "learning_rate": 0.01, "dropout": 0}
    values |= {key: more.pop(key) for key in (*values, "clip", "optimizer") if key in more}
    depth = "" if values["depth"] == 1 else f"x{values['depth']}"
    return {
        "trial": name,
        "architecture": f"{cell}-{values['width']}{depth}",
        "values": values,
        "score": score,
        "spread": None,
        "executions": [] if score is None else [score] * (3 if "spread" in more else 1),
        "reached": score,
        "parameters": 1_000,
        "ms_per_step": None,
        "outcome": "failed" if score is None else "completed",
        **more,
    }


def found(*trials: dict[str, Any], cells: Sequence[str] = (), **more: Any) -> dict[str, Any]:
    """A finished search of the adding problem.

    Args:
        cells: that were asked for, beside those of the trials.
    """
    made = {
        "search": "t",
        "task": "adding",
        "metric": "mse",
        "direction": "min",
        "status": "FINISHED",
        "floors": {"no_memory": 1 / 6, "half_memory": 1 / 12},
        "solved": 0.001,
        "prefer": "none",
        "ranges": RANGES,
        "trials": list(trials),
        "finals": None,
        "trained": [],
        **more,
    }
    return made | conclusions(made, cells)


def finals(winner: str, *candidates: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Finals that have ended."""
    return {"winner": winner, "complete": True, "candidates": list(candidates), "comparisons": [], "curse": 0.0, **more}


def finalist(trial: str, *test: float, **more: Any) -> dict[str, Any]:
    """A finalist with its scores on the test split. Its interval is that of the least and the greatest score."""
    mean = sum(test) / len(test)
    return {
        "trial": trial,
        "test": list(test),
        "failed": 0,
        "mean": mean,
        "low": min(test),
        "high": max(test),
        "solved": None,
        **more,
    }
