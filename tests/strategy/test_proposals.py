"""Proposals: every point once, none twice, the same ones for the same seed, and away from what fails."""

import itertools
import math
import multiprocessing
import os
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from experiments.config.folders import SearchFolder
from experiments.config.spec import RANDOM_TRIALS, STRATEGIES
from experiments.strategy import tpe
from experiments.strategy.allocation import SEVERAL, cell_of, owed
from experiments.strategy.oracle import StudyOracle
from experiments.strategy.points import Values, distribution, domain, finite, key, points, size, walk
from experiments.strategy.proposals import Proposals
from search_spaces.architecture import layers
from search_spaces.recipe import Recipe
from search_spaces.recurrent import RecurrentSpace

Score = Callable[[Values], float | None]

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES)
drawn = pytest.mark.parametrize("strategy", ["random", "tpe"])


def recurrent(**changes: Any) -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    RecurrentSpace(**{"outputs": 1, "loss": "mse", "features": 2, **changes}).declare_hyperparameters(hp)
    return hp


def small() -> keras_tuner.HyperParameters:
    """1 x 2 + 2 x 3 = 8 points: a width, and from depth 2 a dropout."""
    hp = keras_tuner.HyperParameters()
    hp.Choice("depth", [1, 2])
    with hp.conditional_scope("depth", [1]):
        hp.Choice("width", [8, 16])
    with hp.conditional_scope("depth", [2]):
        hp.Boolean("bias")
        hp.Int("units", 10, 30, step=10)
    return hp


def real() -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    hp.Float("x", 0.0, 1.0)
    hp.Choice("kind", ["a", "b"])
    return hp


class Search:
    """Proposals one after the other, each told at once: a score, None for a failure, NaN for one that still runs."""

    def __init__(
        self, strategy: str, space: keras_tuner.HyperParameters, seed: int, score: Score, allocate: str = "best"
    ):
        self.proposals = Proposals(strategy, space, seed, allocate=allocate)
        self.space, self.score = space, score
        self.trials: list[optuna.trial.FrozenTrial] = []
        self.found: list[Values] = []

    def next(self) -> Values | None:
        values = self.proposals.next(self.trials, {key(values) for values in self.found})
        if values is None:
            return None
        self.found.append(values)
        score = self.score(values)
        state = TrialState.FAIL if score is None else TrialState.RUNNING if math.isnan(score) else TrialState.COMPLETE
        self.trials.append(told(self.space, len(self.trials), values, state, score))
        return values

    def run(self, count: int) -> list[Values]:
        for _ in range(count):
            if self.next() is None:
                break
        return self.found


def told(
    space: keras_tuner.HyperParameters, number: int, values: Values, state: TrialState, score: float | None = None
) -> optuna.trial.FrozenTrial:
    """A trial of a study; `score` is what a pruned one has reported, too."""
    known = {parameter.name: distribution(parameter) for parameter in space.space}
    trial = optuna.trial.create_trial(
        state=state,
        value=score if state == TrialState.COMPLETE else None,
        params=values,
        distributions={name: known[name] for name in values},
        intermediate_values={} if score is None or math.isnan(score) else {3: score},
    )
    trial.number = number
    return trial


def first_value(values: Values) -> float:
    return float(sum(value for value in values.values() if isinstance(value, int | float)))


def test_points_of_a_conditional_space_by_hand() -> None:
    assert list(points(small())) == [
        {"depth": 1, "width": 8},
        {"depth": 1, "width": 16},
        {"depth": 2, "bias": False, "units": 10},
        {"depth": 2, "bias": False, "units": 20},
        {"depth": 2, "bias": False, "units": 30},
        {"depth": 2, "bias": True, "units": 10},
        {"depth": 2, "bias": True, "units": 20},
        {"depth": 2, "bias": True, "units": 30},
    ]


@pytest.mark.parametrize(("mixed", "count"), [(False, 4 * 2 * (1 + 2)), (True, 2 * (4 + 2 * 4**2 + 2 * 4**3))])
def test_points_are_all_there_are_and_each_once(mixed: bool, count: int) -> None:
    narrowed = {"widths": range(16, 33, 16), "learning_rate": [0.1, 0.01], "dropout": [0.0, 0.5]}
    space = recurrent(mixed=mixed, cells=["gru", "lstm"], depths=[1, 2, 3] if mixed else [1, 2], **narrowed)
    found = [key(values) for values in points(space)]
    assert len(found) == len(set(found)) == count
    names = [parameter.name for parameter in space.space]
    everything = itertools.product(*(domain(parameter) or [] for parameter in space.space))
    depths = {parameter.name: [d for c in parameter.conditions for d in c.values] for parameter in space.space}
    expected = set()
    for chosen in everything:
        values = dict(zip(names, chosen, strict=True))
        active = {name: value for name, value in values.items() if not depths[name] or values["depth"] in depths[name]}
        expected.add(key(active))
    assert set(found) == expected


def test_points_of_conditions_on_conditions() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Choice("a", ["x", "y"])
    with hp.conditional_scope("a", ["y"]):
        hp.Choice("b", ["x", "y"])
        with hp.conditional_scope("b", ["y"]):
            hp.Fixed("c", 7)
    assert list(points(hp)) == [{"a": "x"}, {"a": "y", "b": "x"}, {"a": "y", "b": "y", "c": 7}]


def test_walk_chooses_for_the_active_ones_in_order() -> None:
    asked: list[str] = []

    def last(parameter: Any) -> Any:
        asked.append(parameter.name)
        return (domain(parameter) or [0])[-1]

    assert walk(small(), last) == {"depth": 2, "bias": True, "units": 30}
    assert asked == ["depth", "bias", "units"]


def test_grid_goes_through_the_points_from_the_last_to_the_first_and_ends() -> None:
    """The deepest and widest, which train longest, come first: at the end no worker waits long for another."""
    search = Search("grid", small(), 0, first_value)
    assert search.run(100) == list(points(small()))[::-1]
    assert search.next() is None


def test_grid_takes_what_is_left() -> None:
    all_points = list(points(small()))[::-1]
    search = Search("grid", small(), 0, first_value)
    search.found = [all_points[0], all_points[3]]
    assert search.next() == all_points[1]
    assert search.next() == all_points[2]
    assert search.next() == all_points[4]


def test_grid_proposes_a_point_again_that_was_not_taken() -> None:
    """A worker on a full disk could not write the trial down."""
    proposals = Proposals("grid", small(), 0)
    assert proposals.next([], set()) == proposals.next([], set()) == list(points(small()))[-1]


def count_points(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many points each listing of a space has gone through so far."""
    listed: list[int] = []

    def counted(*arguments: Any, **keywords: Any) -> Any:
        listed.append(0)
        for values in points(*arguments, **keywords):
            listed[-1] += 1
            yield values

    monkeypatch.setattr("experiments.strategy.proposals.points", counted)
    return listed


def test_grid_goes_through_the_points_once(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = count_points(monkeypatch)
    assert len(Search("grid", small(), 0, first_value).run(100)) == 8
    assert listed == [8]


@every_strategy
@pytest.mark.parametrize("depth", [4, 20])
def test_a_huge_space_is_never_listed(monkeypatch: pytest.MonkeyPatch, strategy: str, depth: int) -> None:
    listed = count_points(monkeypatch)
    space = recurrent(mixed=True, depths=range(1, depth + 1), learning_rate=[0.1, 0.01, 0.001], dropout=[0.0, 0.5])
    assert size(space) > 500_000
    found = Search(strategy, space, 0, first_value).run(30)
    assert len({key(values) for values in found}) == 30
    assert sum(listed) <= 31


@drawn
def test_a_huge_space_with_a_range_is_never_walked(monkeypatch: pytest.MonkeyPatch, strategy: str) -> None:
    listed = count_points(monkeypatch)
    space = recurrent(mixed=True, depths=range(1, 21), learning_rate=(1e-4, 1e-2))
    assert size(space) == math.inf
    assert len(Search(strategy, space, 0, first_value).run(15)) == 15
    assert listed == []


@drawn
@pytest.mark.parametrize("seed", [0, 1])
def test_a_finite_space_is_drawn_whole_and_no_point_twice(strategy: str, seed: int) -> None:
    space = recurrent(cells=["gru"], depths=[1, 2], widths=[16, 32], learning_rate=[0.1, 0.01], dropout=[0.0, 0.5])
    search = Search(strategy, space, seed, first_value)
    found = search.run(100)
    assert len(found) == 12
    assert {key(values) for values in found} == {key(values) for values in points(space)}
    assert search.next() is None


@drawn
def test_one_point(strategy: str) -> None:
    hp = keras_tuner.HyperParameters()
    hp.Fixed("width", 8)
    search = Search(strategy, hp, 0, first_value)
    assert search.run(3) == [{"width": 8}]


@drawn
def test_a_rarely_drawn_branch_is_found_in_the_end(strategy: str) -> None:
    hp = keras_tuner.HyperParameters()
    hp.Choice("depth", list(range(30)))
    assert len(Search(strategy, hp, 0, first_value).run(100)) == 30


@drawn
def test_no_point_twice_where_only_a_branch_is_continuous(strategy: str) -> None:
    hp = keras_tuner.HyperParameters()
    hp.Choice("depth", list(range(1, 31)))
    with hp.conditional_scope("depth", [30]):
        hp.Float("dropout", 0.0, 0.5)
    found = Search(strategy, hp, 0, first_value).run(35)
    assert len({key(values) for values in found}) == 35


@drawn
def test_a_larger_space_is_drawn_whole_and_no_point_twice(monkeypatch: pytest.MonkeyPatch, strategy: str) -> None:
    monkeypatch.setattr("experiments.strategy.proposals.FEW", 5)
    found = Search(strategy, small(), 0, first_value).run(100)
    assert len(found) == 8
    assert {key(values) for values in found} == {key(values) for values in points(small())}


@pytest.mark.parametrize(
    ("space", "count"),
    [
        (small(), 8),
        (real(), math.inf),
        (recurrent(mixed=True, depths=[1, 2, 3], widths=[8, 16], cells=["gru"], learning_rate=[0.1]), 2 + 4 + 8),
        (recurrent(mixed=True, depths=range(1, 5), learning_rate=[0.1]), sum(24**depth for depth in range(1, 5))),
    ],
    ids=["small", "real", "mixed", "huge"],
)
def test_the_size_of_a_space(space: keras_tuner.HyperParameters, count: float) -> None:
    assert size(space) == count


def test_a_range_of_one_number_is_one_point() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 0.5, 0.5)
    assert Search("random", hp, 0, first_value).run(3) == [{"rate": 0.5}]


@every_strategy
def test_the_same_seed_gives_the_same_points(strategy: str) -> None:
    space = recurrent(widths=[16, 32], learning_rate=[0.1, 0.01, 0.001], dropout=[0.0, 0.25, 0.5])
    runs = [Search(strategy, space, 0, first_value).run(20) for _ in range(2)]
    assert len(runs[0]) == 20
    assert [list(values.items()) for values in runs[0]] == [list(values.items()) for values in runs[1]]


SEQUENCE = """
import test_proposals
for values in test_proposals.Search("tpe", test_proposals.recurrent(mixed=True), 0, test_proposals.first_value).run(16):
    print(list(values.items()))
"""


def test_the_same_seed_gives_the_same_points_in_another_process() -> None:
    """String hashes, and with them the order of sets, differ from process to process."""
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", SEQUENCE], capture_output=True, text=True, cwd=here, env=environment)
    found = Search("tpe", recurrent(mixed=True), 0, first_value).run(16)
    assert done.stdout.splitlines() == [str(list(values.items())) for values in found], done.stderr


@drawn
def test_0_is_a_seed_and_every_seed_is_another(strategy: str) -> None:
    firsts = [Search(strategy, real(), seed, first_value).run(3) for seed in range(6)]
    assert len({values["x"] for found in firsts for values in found}) == 18
    assert firsts[0] == Search(strategy, real(), 0, first_value).run(3)


def test_random_points_are_spread() -> None:
    found = Search("random", real(), 0, first_value).run(200)
    assert sum(values["x"] for values in found) / 200 == pytest.approx(0.5, abs=0.07)
    assert 70 < sum(values["kind"] == "a" for values in found) < 130
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 1e-4, 1e-2, sampling="log")
    rates = [values["rate"] for values in Search("random", hp, 0, first_value).run(200)]
    assert all(1e-4 <= rate <= 1e-2 for rate in rates)
    assert 70 < sum(rate < 1e-3 for rate in rates) < 130, "half of them below the geometric middle"


def test_tpe_finds_better_points_than_random() -> None:
    def distance(values: Values) -> float:
        return abs(values["x"] - 0.3) + (values["kind"] == "a")

    def late(strategy: str) -> float:
        found = [Search(strategy, real(), seed, distance).run(30)[15:] for seed in range(2)]
        return sum(distance(values) for each in found for values in each)

    assert late("tpe") < late("random") / 2


def fails_below_a_half(values: Values) -> float | None:
    return None if values["x"] < 0.5 else abs(values["x"] - 0.75)


def test_failures_keep_tpe_away_from_where_they_are() -> None:
    found = [Search("tpe", real(), seed, fails_below_a_half).run(40)[20:] for seed in range(3)]
    assert sum(values["x"] < 0.5 for each in found for values in each) < 15, "of 60"


def test_failures_are_kept_away_from_before_anything_has_a_score() -> None:
    """Ten failed trials on one side."""
    hp = keras_tuner.HyperParameters()
    hp.Float("x", 0.0, 1.0)
    failed = [told(hp, number, {"x": number / 30}, TrialState.FAIL) for number in range(10)]
    tried = {key(trial.params) for trial in failed}
    found = [Proposals("tpe", hp, seed).next(failed, tried) for seed in range(20)]
    assert all(values and values["x"] > 0.4 for values in found)


def test_a_point_that_runs_is_not_proposed_around_again() -> None:
    """Many workers at the optimum at once."""

    def score(values: Values) -> float:
        return math.nan if len(search.found) > 15 else abs(values["x"] - 0.5)

    search = Search("tpe", real(), 0, score)
    found = [values["x"] for values in search.run(35)[15:]]
    assert max(found) - min(found) > 0.5, "it looks elsewhere while nothing new is known"


def numbers(*trials: tuple[TrialState, float | None], minimize: bool = True) -> tuple[list[int], list[int]]:
    """The better and the other trials of a study."""
    study = [told(real(), number, {"x": 0.0, "kind": "a"}, *trial) for number, trial in enumerate(trials)]
    better, others = tpe.split(study, minimize)
    return [trial.number for trial in better], [trial.number for trial in others]


DONE, PRUNED, FAIL, RUNNING = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING


@pytest.mark.parametrize(("minimize", "best"), [(True, [0, 10]), (False, [3, 11])])
def test_the_better_tenth(minimize: bool, best: list[int]) -> None:
    scores = [0.5, 3.0, 2.0, 9.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 1.0, 8.0]
    better, others = numbers(*((DONE, score) for score in scores), minimize=minimize)
    assert better == best
    assert others == [number for number in range(12) if number not in best]


def test_a_pruned_trial_counts_by_the_best_that_it_has_reported() -> None:
    assert numbers((DONE, 2.0), (PRUNED, 1.0), (DONE, 3.0)) == ([1], [0, 2])
    assert numbers((DONE, 2.0), (PRUNED, 1.0), (DONE, 3.0), minimize=False) == ([2], [0, 1])
    assert numbers((PRUNED, None), (DONE, 2.0)) == ([1], [0])


def test_failed_and_running_trials_are_never_the_better_ones() -> None:
    assert numbers(*[(FAIL, None)] * 10, (DONE, 9.0), *[(RUNNING, math.nan)] * 10)[0] == [10]
    assert numbers((FAIL, None), (RUNNING, math.nan)) == ([], [0, 1])
    assert numbers() == ([], [])


@pytest.mark.parametrize(("minimize", "best"), [(True, [2, 3]), (False, [0, 1])])
def test_of_very_many_trials_the_best_and_the_latest_are_seen(
    monkeypatch: pytest.MonkeyPatch, minimize: bool, best: list[int]
) -> None:
    monkeypatch.setattr(tpe, "BEST", 2)
    monkeypatch.setattr(tpe, "LATEST", 3)
    scores = [9.0, 8.0, 1.0, 2.0, 5.0, 6.0, 7.0]

    def seen(count: int) -> list[int]:
        better, others = numbers(*((DONE, score) for score in scores[:count]), minimize=minimize)
        return sorted(better + others)

    assert seen(5) == [0, 1, 2, 3, 4]
    assert seen(7) == [*best, 4, 5, 6]


def test_what_is_known_of_a_number_says_more_about_its_neighbours() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Choice("width", [512, 8, 16, 32, 64, 128, 256])
    (group,) = tpe.groups(hp)
    estimate = tpe.DensityRatio(
        group, [told(hp, 0, {"width": 32}, DONE, 1.0)], [told(hp, 1, {"width": 512}, DONE, 2.0)]
    )
    widths = [8, 16, 32, 64, 128, 256, 512]
    promises = dict(zip(widths, estimate.log_ratio(tpe.columns(group, [{"width": w} for w in widths])), strict=True))
    assert promises[32] > promises[128] > promises[256] > promises[512]
    assert estimate.draw(np.random.RandomState(0), {})["width"] in (8, 16, 32, 64)


def test_groups_have_the_same_conditions() -> None:
    space = recurrent(mixed=True, depths=[1, 2, 3], cells=["gru", "lstm"], dropout=[0.0, 0.5])
    found = [sorted(group) for group in tpe.groups(space)]
    assert found == [
        ["depth", "learning_rate"],
        ["cell_1", "width_1"],
        ["cell_2", "dropout", "width_2"],
        ["cell_3", "width_3"],
    ]


def score_of_96(values: Values) -> float:
    return (
        abs(math.log10(values["learning_rate"]) + 2) + 0.2 * (values["cell"] != "gru") + abs(values["width"] - 48) / 64
    )


def test_tpe_compares_all_untried_points_of_a_small_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 96 points each is its best guess: no draw that meets a tried point and falls back on chance."""
    rates = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    space = recurrent(depths=[1, 2], cells=["gru", "lstm"], widths=[16, 32, 48, 64], learning_rate=rates)
    assert size(space) == 96
    chances: list[Values] = []
    by_chance = Proposals._untried

    def counted(self: Proposals, *arguments: Any) -> Values:
        chances.append(by_chance(self, *arguments))
        return chances[-1]

    monkeypatch.setattr(Proposals, "_untried", counted)
    better = []
    for seed in range(3):
        search = Search("tpe", space, seed, score_of_96)
        found = search.run(100)
        assert len({key(values) for values in found}) == len(found) == 96
        scores = sorted(map(score_of_96, found))
        better.append(sum(score_of_96(values) <= scores[11] for values in found[10:40]))
    assert len(chances) == 3 * RANDOM_TRIALS
    assert min(better) >= 8, "of the best twelve; a blind draw finds four in thirty trials"


def declared(name: str, *arguments: Any, **keywords: Any) -> Any:
    hp = keras_tuner.HyperParameters()
    getattr(hp, name)("p", *arguments, **keywords)
    return hp.space[0]


@pytest.mark.parametrize(
    ("parameter", "expected", "values"),
    [
        (declared("Choice", [3, 1, 2]), CategoricalDistribution([3, 1, 2]), [3, 1, 2]),
        (declared("Choice", ["b", "a"]), CategoricalDistribution(["b", "a"]), ["b", "a"]),
        (declared("Choice", [0.0]), CategoricalDistribution([0.0]), [0.0]),
        (declared("Boolean"), CategoricalDistribution([False, True]), [False, True]),
        (declared("Fixed", 5), CategoricalDistribution([5]), [5]),
        (declared("Fixed", "tanh"), CategoricalDistribution(["tanh"]), ["tanh"]),
        (declared("Int", 1, 4), IntDistribution(1, 4), [1, 2, 3, 4]),
        (declared("Int", 16, 128, step=16), IntDistribution(16, 128, step=16), list(range(16, 129, 16))),
        (declared("Int", 6, 13, step=3), IntDistribution(6, 12, step=3), [6, 9, 12]),
        (declared("Int", 16, 16, step=16), IntDistribution(16, 16, step=16), [16]),
        (declared("Int", 1, 3, sampling="log"), IntDistribution(1, 3, log=True), [1, 2, 3]),
        (declared("Float", 0.0, 0.5), FloatDistribution(0.0, 0.5), None),
        (declared("Float", 1e-4, 1e-2, sampling="log"), FloatDistribution(1e-4, 1e-2, log=True), None),
    ],
    ids=str,
)
def test_distributions(parameter: Any, expected: Any, values: list[Any] | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Optuna's, where a range is not divisible by its step
        assert distribution(parameter) == expected
    assert domain(parameter) == values


def test_a_distribution_has_the_values_that_keras_tuner_has() -> None:
    for parameter in (declared("Int", 6, 13, step=3), declared("Int", 1, 9), declared("Choice", [4, 2])):
        assert domain(parameter) == [int(value) for value in parameter.values]
    stepped = distribution(declared("Float", 0.0, 0.5, step=0.125))
    assert isinstance(stepped, FloatDistribution) and stepped.step == 0.125


def test_finite() -> None:
    assert finite(small())
    assert not finite(real())
    assert finite(recurrent(learning_rate=[0.1])) and not finite(recurrent())


def test_a_grid_of_a_continuous_space_is_refused() -> None:
    with pytest.raises(ValueError):
        Search("grid", real(), 0, first_value).next()


def test_a_grid_of_a_float_with_a_step() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Float("dropout", 0.0, 0.5, step=0.25)
    assert Search("grid", hp, 0, first_value).run(9) == [{"dropout": 0.5}, {"dropout": 0.25}, {"dropout": 0.0}]


def test_the_key_of_a_point() -> None:
    assert key({"a": 1, "b": "x"}) == key({"b": "x", "a": 1})
    assert len({key(values) for values in [{"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 1}, {}]}) == 5


def ask(folder: Path, count: int, gate: Any) -> None:
    """A worker with the same seed as all others."""
    objective = keras_tuner.Objective("val_mse", "min")
    space = recurrent(depths=[1], cells=["gru"], widths=range(1, 17), learning_rate=[0.1])
    oracle = StudyOracle(SearchFolder(folder), objective, "random", 16, 0, space)
    gate.wait()
    for number in range(count):
        oracle.create_trial(f"{os.getpid()}-{number}")
    gate.wait()
    os._exit(0)  # with all its trials still running


def test_processes_with_one_seed_propose_different_points(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(2, timeout=60)
    workers = [context.Process(target=ask, args=(tmp_path, 8, gate)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    oracle = StudyOracle(SearchFolder(tmp_path), keras_tuner.Objective("val_mse", "min"), "random", 16, 0)
    trials = oracle.study.get_trials()
    assert [trial.number for trial in trials] == list(range(16))
    assert sorted(trial.params["width"] for trial in trials) == list(range(1, 17)), "all sixteen points, none twice"


# ---- what each cell gets ----


def likes_gru(values: Values) -> float:
    """A score that tells a strategy to propose GRUs alone, and first of all large ones."""
    cells = [cell for cell, _ in layers(values)]
    return -cells.count("gru") / len(cells) - max(width for _, width in layers(values)) / 1000


LISTS: dict[str, Any] = {"widths": range(16, 129, 16), "learning_rate": [0.01, 0.003, 0.001]}
SPACES: dict[str, dict[str, Any]] = {"few": LISTS, "many": {}, "mixed": {"mixed": True, "depths": [1, 2, 3]}}


@drawn
@pytest.mark.parametrize("rule", ["fair", "equal"])
@pytest.mark.parametrize("space", SPACES)
def test_every_cell_gets_what_it_is_owed(strategy: str, rule: str, space: str) -> None:
    search = Search(strategy, recurrent(**SPACES[space]), 0, likes_gru, rule)
    counts = Counter[str]()
    for trials in range(1, 41):
        values = search.next()
        assert values is not None
        counts[cell_of(values)] += 1
        assert all(counts[cell] >= owed(rule, trials, 3) for cell in ("simple_rnn", "lstm", "gru")), counts
    assert len({key(values) for values in search.found}) == 40
    assert (counts[SEVERAL] > 0) == (space == "mixed" and rule == "fair")


@drawn
def test_without_a_rule_a_cell_may_be_left_out(strategy: str) -> None:
    found = [Search(strategy, recurrent(), seed, likes_gru).run(9) for seed in range(10)]
    assert any(len({cell_of(values) for values in each}) < 3 for each in found)


@drawn
def test_a_cell_with_few_points_gives_its_share_to_the_others(strategy: str) -> None:
    """Every point comes once, although LSTM has more initialisations than SimpleRNN."""
    recipe = Recipe(inits=("default", "orthogonal", "identity"))
    space = recurrent(cells=["simple_rnn", "lstm"], depths=[1], widths=[8, 16], learning_rate=[0.01], recipe=recipe)
    search = Search(strategy, space, 0, likes_gru, "equal")
    assert len(search.run(100)) == size(space) == 10
    assert [cell_of(values) for values in search.found].count("simple_rnn") == 4
