"""Searches of any number of trials whose journals are written by hand, and sent to a real store: nothing is trained.

The world has rules that a report must show: gru is the best cell in the long run, simple_rnn the best of few trials,
the best learning rate is near 0.003, wide models are better, and a third of the trials is pruned.
"""

import json
import math
from pathlib import Path
from random import Random
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from experiments.config.spec import Spec
from search_spaces.architecture import architecture
from tracking.runs import Projection
from tracking.searches import existing_search, open_search
from tracking.store import artifacts, connect

START = 1_700_000_000_000  # ms
FLOORS = {"no_memory": 1 / 6, "half_memory": 1 / 12}
CELLS = ("gru", "lstm", "simple_rnn")
EPOCHS = 10
WORKERS = 2
LAGS = (0, 1, 2, 5, 10, 20, 49, 99)


def uri_in(folder: Path) -> str:
    return f"sqlite:///{folder}/mlflow.db"


def write_search(folder: Path, name: str, trials: int, seed: int = 0, recipe: bool = False, **more: Any) -> Run:
    """A search that has ended, in the store of a folder; returns its parent run.

    Args:
        recipe: the trials also differ in initialisation, bias, clipping and optimizer.
        more: fields of the spec.
    """
    uri = uri_in(folder)
    client = connect(uri, create=True)
    about = {"task": "adding", "options": {"length": "50"}, "cells": list(CELLS), "trials": trials, "digest": "0" * 64}
    facts = Spec(name=name, **{**about, "id": f"{name}-{seed}", "recipe": recipe, **more}).facts()
    facts |= {"metric": "mse", "direction": "min"}
    parent = open_search(client, name, facts["task"], artifacts(uri, facts["task"]), facts, FLOORS)
    journals = folder / "journals" / name
    _write_journals(journals, trials, Random(seed), recipe)
    record = str(more.get("record", "all"))
    Projection(client, parent, journals, "mse", "min", "session", FLOORS, None, record).sync(over=True)
    client.set_tag(parent.info.run_id, "recurrent.stopped", f"all {trials} trials are done")
    client.set_terminated(parent.info.run_id, "FINISHED")
    return found(folder, name)[1]


def found(folder: Path, name: str) -> tuple[MlflowClient, Run]:
    """A client, and the parent run."""
    return existing_search(name, uri_in(folder))


def _write_journals(folder: Path, trials: int, random: Random, recipe: bool) -> None:
    free = [0] * WORKERS  # when each worker has ended its last trial, in milliseconds
    for number in range(trials):
        worker = free.index(min(free))
        events = _events(number, worker, free[worker] + 200, random, recipe)
        free[worker] = events[-1]["time"] - START
        place = folder / f"{number:04d}"
        place.mkdir(parents=True)
        (place / "journal.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), "utf-8")


def _values(random: Random, number: int, recipe: bool) -> dict[str, Any]:
    values: dict[str, Any] = {"depth": random.choice((1, 2, 3)), "cell": CELLS[number % len(CELLS)]}
    values |= {"width": 16 * random.randint(1, 8), "learning_rate": 10 ** random.uniform(-4, -2), "dropout": 0}
    if recipe:
        values[f"init_{values['cell']}"] = random.choice(("default", "orthogonal"))
        values |= {"clip": random.choice((0.25, 1.0, 5.0)), "optimizer": random.choice(("adam", "rmsprop"))}
        if values["cell"] != "simple_rnn":
            values[f"bias_{values['cell']}"] = random.choice((0.0, 1.0, 5.0))
    return values


def _parameters(values: dict[str, Any], recipe: bool) -> dict[str, Any]:
    """What the trial's run has: a value for each name, as the space fills them."""
    filled = {**values, "architecture": architecture(values)}
    if recipe:
        filled["init"] = values[f"init_{values['cell']}"]
        for cell in CELLS:
            filled.setdefault(f"init_{cell}", "none")
            if cell != "simple_rnn":
                filled.setdefault(f"bias_{cell}", 0)
    return filled


def _events(number: int, worker: int, at: int, random: Random, recipe: bool) -> list[dict[str, Any]]:
    """The journal of a trial. Of twenty trials one fails, and of three one is pruned."""
    values = _values(random, number, recipe)
    size = 3 * values["width"] ** 2 * values["depth"]
    speed = {"gru": 0.75, "lstm": 0.6, "simple_rnn": 0.2}[values["cell"]] * math.sqrt(values["width"] / 128)
    speed *= math.exp(-((math.log10(values["learning_rate"]) + 2.5) ** 2)) * random.uniform(0.6, 1.0)
    speed += 0.12 if values["cell"] == "simple_rnn" else 0.0
    kept = 4 if number % 3 == 2 and number > 5 else EPOCHS
    begin = {"trial": f"{number:04d}", "attempt": 1, "session": "session", "worker": worker, "values": values}
    events = [_event("start", at, **begin, parameters=_parameters(values, recipe))]
    how = {"kernel": "xla", "kernel_reason": "no GPU", "steps_per_execution": 16}
    costs = {"parameters": size, "flops_per_token": 2.0 * size, "flops_per_step": 6_400.0 * size}
    events.append(_event("built", at + 900, **costs, **how))
    score = 1.0
    for epoch in range(kept):
        at += 1_000 + 20 * values["width"]
        score = 0.17 * math.exp(-speed * epoch) + 1e-4 * random.random()
        norms = {f"gradient/norm_{name}": share * math.exp(-0.1 * epoch) for name, share in NORMS.items()}
        metrics = {"loss": 0.9 * score, "val_mse": score, **norms}
        events.append(_event("epoch", at, execution=0, epoch=epoch, metrics=metrics, seconds=at / 1000))
    return [*events, *_ending(number, kept, score, at, values)]


NORMS = {"10pct": 0.3, "median": 1.0, "90pct": 4.0}


def _ending(number: int, kept: int, score: float, at: int, values: dict[str, Any]) -> list[dict[str, Any]]:
    if number % 20 == 7:
        error = {"reason": "diverged in epoch 4: loss is nan", "error": "Traceback …", "score": None}
        return [_event("end", at, outcome="failed", **error)]
    if kept < EPOCHS:
        return [_event("end", at, outcome="pruned", reason="halving", score=None, seconds=kept * 3.0)]
    costs = {"seconds": kept * 3.0, "ms_per_step": 2 + values["width"] / 16 * values["depth"], "epoch": kept - 1}
    about = {"score": score, "spread": None, "model_score": score, "execution": 0}
    executed = {"score": score, "epoch": kept - 1, "seconds": 1.0, "execution": 0}
    sees = {"lag": 49, "init": _horizon(0.25), "trained": _horizon(0.05 if values["cell"] != "simple_rnn" else 0.2)}
    end = _event("end", at + 50, outcome="completed", **about, **costs, horizon=sees)
    return [_event("execution", at + 20, **executed), end]


def _horizon(rate: float) -> dict[str, Any]:
    gains = [-rate * lag / math.log(10) for lag in LAGS]
    halved = math.log(2) / rate
    summary = {"half_life_50": halved, "half_life": halved, "rate_50": -rate, "rate": -rate, "tau_eff": 1 / rate}
    summary |= {"g50_g0": math.exp(-50 * rate), "tau_1pct": math.ceil(4.6 / rate)}
    return {"summary": summary, "curve": {"lags": list(LAGS), "log10_gain": gains}}


def _event(kind: str, at: int, **more: Any) -> dict[str, Any]:
    return {"event": kind, "time": START + at, **more}
