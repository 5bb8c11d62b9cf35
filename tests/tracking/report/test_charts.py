"""What the figures of a report show, against what the journals' world says and what a test counts itself."""

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.reported import EPOCHS, FLOORS

from tracking.expected import reached
from tracking.report import costs, finals, paper, scores, slices, study, training, work
from tracking.report.browser import draw
from tracking.report.chart import Chart, Panel, placed, score_range, ticks
from tracking.report.gather import Search, cell_of
from tracking.report.page import charts
from tracking.report.parallel import parallel
from tracking.report.publish import draw_figures

FINALS: dict[str, Any] = {
    "winner": "0004",
    "complete": True,
    "lost": [],
    "whole": None,
    "curse": -0.002,
    "comparisons": [{"sentence": "lstm-96 is better than gru-64.", "says": "better"}],
    "candidates": [
        {
            "trial": trial,
            "architecture": model,
            "cell": cell,
            "parameters": 100,
            "validation": test,
            "test": test,
            "longer": {"2": [0.1, 0.2]},
            "seeds": list(range(len(test))),
            "best_epochs": [9] * len(test),
            "failed": 3 - len(test),
            "mean": sum(test) / len(test),
            "sd": 0.01 if len(test) > 1 else None,
            "low": min(test) - 0.01 if len(test) > 1 else None,
            "high": max(test) + 0.01 if len(test) > 1 else None,
            "worst": max(test),
            "solved": 1 / 3,
            "search_score": 0.004,
            "run_ids": [],
        }
        for trial, model, cell, test in (
            ("0004", "lstm-96", "lstm", [0.01, 0.02, 0.03]),
            ("0006", "gru-64", "gru", [0.04]),
        )
    ],
}


def journals(store: Path, name: str) -> dict[str, list[dict[str, Any]]]:
    """The events of each trial, as they were written."""
    files = sorted((store / "journals" / name).glob("*/journal.jsonl"))
    return {file.parent.name: [json.loads(line) for line in file.read_text().splitlines()] for file in files}


def test_the_heat_map_has_the_best_of_each_place(small: Search, store: Path) -> None:
    best: dict[tuple[str, str, str], float] = {}
    for events in journals(store, "small").values():
        values, epochs = events[0]["values"], [event for event in events if event["event"] == "epoch"]
        if events[-1]["outcome"] != "failed":
            place = (values["cell"], str(values["depth"]), str(values["width"]))
            best[place] = min(best.get(place, math.inf), epochs[-1]["metrics"]["val_mse"])
    chart = scores.heat(small)
    assert chart
    shown = {
        (panel.title.split(":")[0], row, column): word.strip("()")
        for panel in chart.panels
        if panel.heat
        for row, words in zip(panel.heat.rows, panel.heat.words, strict=True)
        for column, word in zip(panel.heat.columns, words, strict=True)
        if word
    }
    assert shown == {place: f"{score:.3g}" for place, score in best.items()}


def test_best_so_far_only_falls_and_ends_at_the_best(small: Search, store: Path) -> None:
    chart = scores.so_far(small)
    assert chart and len(chart.panels) == 2
    ended = [events[-1]["score"] for events in journals(store, "small").values() if events[-1].get("score")]
    for panel in chart.panels:
        line = next(series for series in panel.series if series.kind == "step")
        assert all(later <= before for before, later in pairwise(line.y))
        assert line.y[-1] == min(ended)
        assert list(line.x) == sorted(line.x)
        assert sum(len(series.x) for series in panel.series if series.kind == "points") == len(small.reached) == 11


def test_the_front_by_hand(small: Search) -> None:
    trials = small.ranked
    for cost in costs.COSTS:
        beaten = {
            one["trial"]
            for one in trials
            for other in trials
            if other[cost] <= one[cost] and other["score"] <= one["score"] and other is not one
        }
        front = costs.front_of(trials, cost, minimum=True)
        assert {trial["trial"] for trial in front} == {trial["trial"] for trial in trials} - beaten


def test_curves_are_those_of_the_journals(small: Search, store: Path) -> None:
    written = journals(store, "small")
    for trial in small.reached:
        epochs = [event for event in written[trial["trial"]] if event["event"] == "epoch"]
        assert trial["curve"] == [(event["epoch"], event["metrics"]["val_mse"]) for event in epochs]
        assert reached(trial) == epochs[-1]["metrics"]["val_mse"]
        assert len(epochs) == EPOCHS or trial["score"] is None


def test_workers_are_those_of_the_journals(small: Search, store: Path) -> None:
    assert {trial["trial"]: trial["worker"] for trial in small.trials} == {
        name: events[0]["worker"] for name, events in journals(store, "small").items()
    }
    for trial in small.trials:
        trial["worker"] = None
    from tracking.report.gather import _number_workers

    _number_workers(small.trials)  # as for an earlier version, from the times
    lanes = [[trial for trial in small.trials if trial["worker"] == worker] for worker in (0, 1)]
    assert all(lanes) and sum(map(len, lanes)) == 12
    for lane in lanes:
        ordered = sorted(lane, key=lambda trial: trial["begun"])
        assert all(one["ended"] <= later["begun"] for one, later in pairwise(ordered))


def test_floors_are_lines_in_every_figure_of_scores(small: Search) -> None:
    made = [scores.budget(small), scores.so_far(small), costs.pareto(small), training.learning(small)]
    for chart in made:
        assert chart
        for panel in chart.panels:
            assert sorted(panel.lines.values()) == sorted(FLOORS.values()), chart.name
            low, high = panel.y_range or (0, 0)
            assert low < min(FLOORS.values()) and high > max(FLOORS.values()), chart.name


def test_values_of_a_cell_count_for_its_trials_alone(small: Search) -> None:
    for trial in small.trials:
        gru = cell_of(trial) == "gru"
        trial["values"] |= {"bias_gru": 5.0 if gru else 0, "init_gru": "chrono" if gru else "none", "init": "chrono"}
        trial["values"]["cell_2"] = trial["trial"]
    found = slices.varied(small)
    assert set(found) == {"depth", "cell", "width", "learning_rate", "bias"}
    cells = [cell_of(trial) for trial in small.reached]
    assert found["bias"] == [5.0 if cell == "gru" else None for cell in cells]
    chart = slices.slices(small)
    assert chart
    panel = next(panel for panel in chart.panels if panel.x == "bias")
    assert sum(len(series.x) for series in panel.series) == cells.count("gru")
    made = study.studied(small)
    assert made and "bias" not in made.names


def test_importance_finds_the_value_that_decides(small: Search) -> None:
    """A score that is the learning rate, and nothing else."""
    for trial in small.reached:
        trial["score"] = trial["values"]["learning_rate"]
    made = study.studied(small)
    assert made and made.names[0] == "learning_rate"
    assert made.importances["fANOVA"]["learning_rate"] > 0.7
    assert set(made.importances) == {"fANOVA"} and len(small.reached) < study.FEWEST_RANKED


def test_many_trials_are_also_ranked(small: Search) -> None:
    """Each trial five times, so that its best tenth has five trials and not one."""
    made = study.studied(replace(small, found={**small.found, "trials": small.trials * 5}))
    assert made and set(made.importances) == {"fANOVA", "PED-ANOVA"}
    chart = study.importance(made)
    assert chart and [panel.title for panel in chart.panels] == ["fANOVA", "PED-ANOVA"]
    assert "PED-ANOVA (Watanabe et al. 2023)" in chart.says


def test_too_few_trials_have_no_importance(twin: Search) -> None:
    assert len(twin.reached) < study.FEWEST and study.studied(twin) is None
    assert study.importance(None) is None


def test_every_trial_is_a_line_of_the_parallel_axes(small: Search) -> None:
    chart = parallel(small)
    assert chart
    (panel,) = chart.panels
    ends = sum(value is None for series in panel.series for value in series.x)
    assert ends == len(small.reached)
    assert all(0 <= value <= 1 for series in panel.series for value in series.y if value is not None)
    best = next(series for series in panel.series if series.name == "best tenth")
    assert best.y[0] == 0  # the lowest score


def test_finals(small: Search) -> None:
    assert finals.finals(small) is None
    small.found["finals"] = FINALS
    chart = finals.finals(small)
    assert chart
    mean, seeds, single, _ = chart.panels[0].series
    assert (list(mean.y), mean.low, mean.high) == ([0.02], [0.0], [0.04])
    assert list(seeds.y) == [0.01, 0.02, 0.03]
    assert (list(single.y), single.low) == ([0.04], None)


def test_timeline_has_a_bar_for_each_trial(small: Search) -> None:
    chart = work.timeline(small)
    assert chart
    bars = {series.name: sum(value is None for value in series.x) for series in chart.panels[0].series}
    assert bars == {"completed": 9, "pruned": 2, "failed": 1}


def test_the_axis_of_scores() -> None:
    usual = score_range([0.5, 0.6, 0.7], [0.1], minimum=False)
    assert not usual.log and usual.ends == (pytest.approx(0.07), pytest.approx(0.73))
    assert score_range([1e-4, 1e-3], [0.1], minimum=True).log
    assert not score_range([-1.0, 1e-3], [0.1], minimum=True).log
    lost = score_range([0.1] * 30 + [1e9], [0.2], minimum=True)  # a trial that has diverged flattens no axis
    assert lost.ends[1] < 1 and lost.outside == 1 and "1 point lies outside" in lost.note
    same = score_range([0.5], [], minimum=True)
    assert same.ends[0] < 0.5 < same.ends[1]


def test_labels_of_near_lines_stand_apart() -> None:
    panel = Panel("", "", y_range=(0.0, 1.0), lines={"a": 0.5, "b": 0.51, "c": 0.52, "d": 0.9})
    assert [place for _, _, place in placed(panel)] == ["right", "left", "center", "right"]


def test_marks_of_a_logarithmic_axis() -> None:
    assert ticks(0.9, 11) == [1, 2, 5, 10]
    assert ticks(1e-6, 1) == [1e-6, 1e-5, 1e-4, pytest.approx(1e-3), 0.01, 0.1, 1]


def test_figures_for_paper(small: Search, tmp_path: Path) -> None:
    small.found["finals"] = FINALS
    files = draw_figures(small, tmp_path / "figures")
    names = {name for name, chart in charts(small, study.studied(small)).items() if chart} | {"contour"}
    assert len(names) == 13
    assert {file.name for file in files} == {f"{name}.{kind}" for name in names for kind in paper.KINDS}
    begin = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
    for file in files:
        assert file.read_bytes().startswith(begin[file.suffix[1:]]) and file.stat().st_size > 3_000


@pytest.mark.parametrize("name", ["budget", "pareto", "learning"])
def test_both_ways_of_drawing_have_the_same_points(small: Search, name: str, tmp_path: Path) -> None:
    chart: Chart | None = charts(small, None)[name]
    assert chart
    drawn = draw(chart)
    lines = [trace for trace in drawn["data"] if trace.get("hoverinfo") != "skip"]
    points = sum(len(series.x) for panel in chart.panels for series in panel.series)
    assert sum(len(trace["x"]) for trace in lines) == points
    assert len(paper.draw(chart, tmp_path)) == 3


def test_plotly_knows_every_word_of_the_figures(small: Search) -> None:
    """Plotly's classes refuse what its script would overlook."""
    import plotly.graph_objects

    small.found["finals"] = FINALS
    drawn = [draw(chart) for chart in charts(small, study.studied(small)).values() if chart]
    for one in drawn:
        assert len(plotly.graph_objects.Figure(one).data) == len(one["data"])
        with pytest.raises(ValueError, match="colour"):
            plotly.graph_objects.Figure({**one, "layout": {**one["layout"], "colour": 1}})
    assert len(drawn) > 10
