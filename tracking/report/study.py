"""A search as an Optuna study, rebuilt from MLflow, for what Optuna says and draws of it.

Each completed trial has its score and each pruned one its last score: Optuna looks at completed trials alone. Values
that not every trial has, for example the bias of a gate, are left out: what stands in their place would count as one.
Nothing is proposed here.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from tracking.expected import reached
from tracking.report.browser import Figure, finish
from tracking.report.chart import Chart, Panel, Series, logarithmic, tick_text, ticks
from tracking.report.gather import Search
from tracking.report.paper import save
from tracking.report.scores import axis
from tracking.report.slices import in_order, numeric, varied
from tracking.text import metric_name

if TYPE_CHECKING:
    import optuna

FEWEST = 10  # trials from which on an importance is said
FEWEST_RANKED = 50  # trials from which on PED-ANOVA is asked, whose best tenth has then 5
MOST_WEIGHED = 400  # trials that fANOVA looks at; with 1,000 it would take 10 seconds
TREES = 32
LEAST = 0.01  # the smallest share that is said
MOST_OF_GRID = 30_000  # cells of the grid of a contour
WARM, COOL = "#e07b39", "#3b8bd9"


@dataclass(frozen=True)
class Studied:
    """The study of a search.

    Args:
        names: of the values that were searched, the most important ones first.
        log: scores are shown and weighed as their logarithms to base 10, as the axis of scores has them.
        importances: by the name of the method the share of each value.
    """

    study: "optuna.Study"
    names: list[str]
    log: bool
    target_name: str
    importances: dict[str, dict[str, float]]

    def target(self, trial: "optuna.trial.FrozenTrial") -> float:
        """What is drawn of a trial."""
        value = float(trial.value or 0.0)
        return math.log10(value) if self.log else value


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's words about experimental parts, which are not for people who read a report."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def studied(search: Search) -> Studied | None:
    """Rebuilds the study; None for a search with too few trials, or with nothing that differs between them."""
    found = {name: values for name, values in varied(search).items() if None not in values}
    if len(search.reached) < FEWEST or not found:
        return None
    import optuna

    distributions = {name: _distribution(values) for name, values in found.items()}
    numbers = {name for name, values in found.items() if numeric(values)}
    rows = [
        {name: values[row] if name in numbers else str(values[row]) for name, values in found.items()}
        for row in range(len(search.reached))
    ]
    with _quiet():
        study = optuna.create_study(direction="minimize" if search.minimum else "maximize")
        study.add_trials(
            [
                optuna.trial.create_trial(value=reached(trial), params=row, distributions=distributions)
                for trial, row in zip(search.reached, rows, strict=True)
            ]
        )
    log = axis(search).log and all((reached(trial) or 0) > 0 for trial in search.reached)
    name = metric_name(search.found["metric"])
    made = Studied(study, list(found), log, f"log10 of {name}" if log else name, {})
    importances = _importances(made)
    first = next(iter(importances.values()), {})
    return Studied(study, sorted(found, key=lambda name: -first.get(name, 0.0)), log, made.target_name, importances)


def _distribution(values: list[Any]) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not numeric(values):
        return CategoricalDistribution([str(value) for value in in_order(values)])
    low, high, log = min(values), max(values), logarithmic(values)
    if all(isinstance(value, int) for value in values):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(low, high, log=log)


def _importances(made: Studied) -> dict[str, dict[str, float]]:
    """By the name of each method the share of each value; both are Optuna's."""
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

    with _quiet():
        some = optuna.create_study(direction=made.study.direction)
        some.add_trials(_weighed(made))
        fanova = FanovaImportanceEvaluator(n_trees=TREES, seed=0)
        found = {"fANOVA": get_param_importances(some, evaluator=fanova, target=made.target)}
        if len(made.study.trials) >= FEWEST_RANKED:
            found["PED-ANOVA"] = get_param_importances(made.study, evaluator=PedAnovaImportanceEvaluator())
        return found


def _weighed(made: Studied) -> "list[optuna.trial.FrozenTrial]":
    """The trials that fANOVA looks at: all, or some that are drawn. Every third one might be all of one cell."""
    trials = made.study.trials
    return trials if len(trials) <= MOST_WEIGHED else Random(0).sample(trials, MOST_WEIGHED)


def _said(made: Studied) -> str:
    """The result of the first method in a sentence."""
    method, shares = next(iter(made.importances.items()))
    words = [f"{name.replace('_', ' ')} ({shares[name]:.0%})" for name in made.names if shares.get(name, 0.0) >= LEAST]
    if not words:
        return f"By {method} no value matters much."
    return f"By {method} {words[0]} matters most{', then ' if words[1:] else ''}{' and '.join(words[1:3])}."


def importance(made: Studied | None) -> Chart | None:
    """How much of the difference between trials each value explains, by both methods."""
    if made is None:
        return None
    panels = []
    for (method, shares), colour in zip(made.importances.items(), (COOL, WARM), strict=False):
        names = [name for name in reversed(made.names) if name in shares]
        words = [name.replace("_", " ") for name in names]
        values = [shares[name] for name in names]
        texts = [f"{word}: {value:.0%}" for word, value in zip(words, values, strict=True)]
        panels.append(Panel("share", "", [Series("", values, words, "bars", colour, texts=texts)], title=method))
    count, some = len(made.study.trials), len(_weighed(made))
    looked = "all trials" if some == count else f"{some} of them"
    ranks = ", PED-ANOVA (Watanabe et al. 2023) at what sets the best tenth apart" if len(panels) > 1 else ""
    says = (
        f"{_said(made)} How much of the difference between the scores of {count} trials each value explains. fANOVA"
        f" (Hutter et al. 2014) looks at {looked}{ranks}. Few trials make it a guess."
    )
    return Chart(
        "importance", "Which values matter", says, panels, columns=len(panels), height=110 + 24 * len(made.names)
    )


def contour_says(made: Studied) -> str:
    """What the contour shows, in sentences."""
    some, pairs = len(_thinned(made)), len(_pairs(made))
    one, other = (name.replace("_", " ") for name in made.names[:2])
    left = f" Shown are {some} of {pairs} points, spread evenly over the ranks." if some < pairs else ""
    drawn = f"A point is the best trial with these two values.{left}"
    return f"{made.target_name} over the two values that matter most, {one} and {other}. {drawn}"


def contour(made: Studied) -> Figure:
    """The score over the two most important values, drawn by Optuna."""
    from optuna.visualization import plot_contour

    with _quiet():
        figure = plot_contour(_grid(made), params=made.names[:2], target=made.target, target_name=made.target_name)
    for one in (figure.layout.xaxis, figure.layout.yaxis):
        if one.type == "log":  # Plotly's own marks would cover each other
            values = [trial.params[one.title.text] for trial in made.study.trials]
            marks = ticks(min(values), max(values))
            one.update(tickvals=marks, ticktext=[tick_text(mark) for mark in marks])
    return finish(figure.to_plotly_json())


def _pairs(made: Studied) -> "list[optuna.trial.FrozenTrial]":
    """The best trial of each pair of values, best last. Optuna would draw any trial of a pair."""
    minimum = made.study.direction.name == "MINIMIZE"
    ordered = sorted(made.study.trials, key=lambda trial: trial.value or 0.0, reverse=minimum)
    return list({tuple(trial.params[name] for name in made.names[:2]): trial for trial in ordered}.values())


def _thinned(made: Studied) -> "list[optuna.trial.FrozenTrial]":
    """So few of the pairs that the grid of the contour, which has each value once, stays small."""
    pairs = _pairs(made)
    for step in range(1, len(pairs) + 1):
        some = pairs[::-step]
        sides = [len({trial.params[name] for trial in some}) for name in made.names[:2]]
        if math.prod(sides) <= MOST_OF_GRID:
            return some
    return pairs


def _grid(made: Studied) -> "optuna.Study":
    """The study that Optuna draws the contour of."""
    import optuna

    study = optuna.create_study(direction=made.study.direction)
    study.add_trials(_thinned(made))
    return study


def on_paper(made: Studied, folder: Path) -> list[Path]:
    """The contour as files, drawn with matplotlib; returns the files."""
    from optuna.visualization.matplotlib import plot_contour

    with _quiet():
        axes: Any = plot_contour(_grid(made), params=made.names[:2], target=made.target, target_name=made.target_name)
        return save(axes.figure, folder, "contour")
