"""The first candidates of a search, before it begins."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras_tuner
import pytest
from optuna.trial import create_trial

from experiments.config import recipes
from experiments.config.spec import RANDOM_TRIALS, Spec
from experiments.launcher.settings import search_spec
from experiments.strategy.draws import first_draws
from experiments.strategy.points import Values, distribution, key
from experiments.strategy.proposals import Proposals
from experiments.tasks.base import Task
from search_spaces.dimensions import declare

# The trials of `recurrent search adding`, as two workers of a real search began them.
ADDING = (
    *("gru-80x2", "simple_rnn-112", "lstm-96x2", "simple_rnn-32x2", "lstm-16x2", "gru-80", "gru-32x2", "lstm-128x2"),
    *("simple_rnn-128", "lstm-80"),
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def in_keras_tuner(spec: Spec, task: Task, count: int) -> list[Values]:
    """The points that a worker gets, in Keras Tuner's space."""
    space = keras_tuner.HyperParameters()
    declare(space, **recipes.dimensions(spec), recipe=recipes.recipe(spec, task))
    proposals = Proposals(spec.oracle, space, spec.seed, allocate=spec.allocate)
    found: list[Any] = []
    while len(found) < count:
        values = proposals.next(found, {key(trial.params) for trial in found})
        if values is None:
            break
        known = {each.name: distribution(each) for each in space.space if each.name in values}
        found.append(create_trial(value=1.0, params=values, distributions=known))
    return [trial.params for trial in found]


def test_they_are_those_that_a_real_search_began() -> None:
    drawn = first_draws(*search_spec("adding", {}))
    assert tuple(each["architecture"] for each in drawn) == ADDING and len(drawn) == RANDOM_TRIALS
    assert {"cell": "gru", "depth": 2, "width": 80}.items() <= drawn[0].items()


@pytest.mark.parametrize(
    "given",
    [
        {"seed": 3},
        {"oracle": "random", "trials": 25, "allocate": "best", "seed": 1},
        {"allocate": "equal", "width": "16,48,64", "depth": "1,3", "dropout": "0:0.5"},
        {"mixed": True, "seed": 2},
        {"recipe": True, "seed": 5},
        {"recipe": True, "mixed": True, "bias": "0,1,5", "init": "default,chrono"},
        {"cells": ["gru"], "depth": "1", "width": "16,32", "learning_rate": "0.01,0.02", "oracle": "random"},
    ],
    ids=str,
)
def test_they_are_those_of_keras_tuners_space(given: dict[str, Any]) -> None:
    spec, task = search_spec("adding", {}, **given)
    drawn = first_draws(spec, task)
    points = in_keras_tuner(spec, task, len(drawn) + (spec.oracle == "random"))
    assert [{name: each[name] for name in point} for each, point in zip(drawn, points, strict=False)] == [
        *points[: len(drawn)]
    ]
    assert len(drawn) == min(len(points), spec.trials, RANDOM_TRIALS if spec.oracle == "tpe" else 100)


def test_a_grid_draws_none() -> None:
    exact = {"oracle": "grid", "learning_rate": "0.01", "width": "16,32"}
    assert first_draws(*search_spec("adding", {}, **exact)) == []


def test_keras_is_not_imported(here: Path) -> None:
    """The launcher says how long a search takes before TensorFlow could be imported."""
    code = (
        "import sys; from experiments.launcher.settings import search_spec as spec; from experiments.strategy"
        ".draws import first_draws as draws; assert draws(*spec('adding', {}));"
        " assert not {'keras', 'tensorflow'} & {*sys.modules}"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=here, env={"PYTHONPATH": str(Path(__file__).parents[2])})
    assert done.returncode == 0
