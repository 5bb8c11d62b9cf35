"""The page of two or more searches: who wins and how sure, or what each has found.

Searches are of the same task if task, options, metric and data are the same. Then their scores mean the same, and one
of them wins. Otherwise they stand side by side.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tracking import expected
from tracking.answer import answer
from tracking.caveats import winner
from tracking.report import browser, costs, scores, training
from tracking.report.chart import PALETTE, Chart, Panel, Series, score_range
from tracking.report.gather import Search, Trial
from tracking.report.page import Section, render
from tracking.report.tables import Table, worth
from tracking.text import format_count, format_duration, format_number, format_spread, metric_name

SURE = 0.05  # the p-value below which a difference counts
TWO = 2  # scores that a spread takes


@dataclass(frozen=True)
class Sample:
    """The scores of one model from different seeds, and of which split."""

    scores: list[float]
    split: str


def same_task(searches: Sequence[Search]) -> bool:
    """Whether the scores of the searches mean the same."""
    keys = ("task", "options", "metric", "direction", "digest")
    return all(one.spec.get(key) == searches[0].spec.get(key) for one in searches for key in keys)


def comparison(searches: Sequence[Search]) -> str:
    """The page as HTML."""
    same = same_task(searches)
    names = " · ".join(search.name for search in searches)
    about = f"{searches[0].spec['task']}, the same data" if same else "searches of different tasks or data"
    return render(names, about, [_verdict(searches, same), _table(searches), *_figures(searches, same)])


def _verdict(searches: Sequence[Search], same: bool) -> Section:
    if same:
        return Section("winner", "Who wins", sentences=who_wins(searches))
    says = "The searches differ in task, options or data, so their scores cannot be compared. Each has its own answer."
    sentences = [f"{search.name}: {sentence}" for search in searches for sentence in answer(search.found)[:1]]
    return Section("winner", "Side by side", says, sentences=sentences)


def who_wins(searches: Sequence[Search]) -> list[str]:
    """Sentences: which search has the best model, and how sure that is. All are of the same task."""
    best = {search.name: trial for search in searches if (trial := winner(search.found))}
    if not best:
        return ["No trial of these searches has completed."]
    minimum, metric = searches[0].minimum, metric_name(searches[0].found["metric"])
    samples = {search.name: sample(search) for search in searches if search.name in best}
    alike = len({one.split for one in samples.values()}) == 1  # otherwise the scores of the searches count
    numbers = {name: _mean(one) if alike else best[name]["score"] for name, one in samples.items()}
    order = sorted(numbers, key=lambda name: numbers[name] if minimum else -numbers[name])
    first, model = order[0], best[order[0]]["architecture"]
    found = [f"{first} has the best model: {model} with {metric} {format_number(numbers[first])}."]
    by_name = {search.name: search for search in searches}
    found += [how_sure(by_name[first], by_name[other]) for other in order[1:]]
    missing = [search.name for search in searches if search.name not in best]
    return found + ([f"No trial has completed in {', '.join(missing)}."] if missing else [])


def sample(search: Search) -> Sample:
    """The scores of the search's best model: those of its finals, else those of its executions."""
    best, finals = winner(search.found), search.found.get("finals")
    candidates = finals["candidates"] if finals and finals["complete"] else []
    finalist = next((one for one in candidates if best and one["trial"] == best["trial"]), None)
    if finalist:
        return Sample(finalist["test"], "test")
    return Sample((best["executions"] or [best["score"]]) if best else [], "validation")


def _mean(found: Sample) -> float:
    return math.fsum(found.scores) / len(found.scores) if found.scores else math.nan


def how_sure(first: Search, other: Search) -> str:
    """A sentence on the difference of the best models of two searches, by Welch's test on their seeds."""
    mine, its = sample(first), sample(other)
    apart = format_number(abs(_mean(mine) - _mean(its)), 3)
    metric = metric_name(first.found["metric"])
    begin = f"{other.name} is {apart} {metric} behind"
    if mine.split != its.split:
        return f"Whether {first.name} is better than {other.name} is open: one of them has no finals."
    if min(len(mine.scores), len(its.scores)) < TWO:
        return f"{begin}. These seeds cannot tell them apart: one seed has no spread. `recurrent finals` of both can."
    from scipy.stats import ttest_ind

    tested = ttest_ind(mine.scores, its.scores, equal_var=False)
    if not math.isfinite(tested.pvalue):  # no spread at all
        return f"{begin}; the seeds of each have all the same score."
    low, high = sorted(abs(end) if tested.pvalue < SURE else end for end in tested.confidence_interval(0.95))
    interval = (
        f"95 % interval of the difference {format_number(low, 3)} to {format_number(high, 3)}, p = {tested.pvalue:.2g}"
    )
    chosen = "" if mine.split == "test" else " Both were chosen by these scores, which flatters them."
    if tested.pvalue < SURE:
        return f"{begin}, and that is more than chance ({interval}).{chosen}"
    return f"{begin}, but these seeds cannot tell them apart ({interval}).{chosen}"


def _table(searches: Sequence[Search]) -> Section:
    headings = ["search", "task", "best model", "verdict", "score", "± sd", "parameters", "learning rate"]
    headings += ["trials", "completed", "pruned", "failed", "time"]
    rows = [_row(search, winner(search.found)) for search in searches]
    note = "The score is on the validation split; the finals, where there are any, are in the report of each search."
    return Section("searches", "The searches", tables=[Table(headings, rows, words=4, note=note)])


def _row(search: Search, best: Trial | None) -> list[str]:
    counts = [sum(trial["outcome"] == one for trial in search.trials) for one in ("completed", "pruned", "failed")]
    options = " ".join(f"{key}={value}" for key, value in search.spec["options"].items())
    shown = ["-"] * 6
    if best:
        number = f"{metric_name(search.found['metric'])} {format_number(best['score'])}"
        shown = [best["architecture"], worth(search, best["score"]), number, format_spread(best["spread"])]
        shown += [format_count(best["parameters"]), format_number(best["values"].get("learning_rate"))]
    time = format_duration(search.ended - search.begun) if search.ended else "running"
    return [
        search.name,
        f"{search.spec['task']} {options}".strip(),
        *shown,
        str(len(search.trials)),
        *map(str, counts),
        time,
    ]


def _figures(searches: Sequence[Search], same: bool) -> list[Section]:
    makers: list[tuple[str, str, Callable[[Search], Chart | None]]] = [
        ("budget", "Expected best over budget", scores.budget),
        ("so_far", "Best so far", scores.so_far),
        ("pareto", "What a better score costs", costs.pareto),
        ("learning", "Learning curves", training.learning),
    ]
    drawn = [_together(searches)] if same else []
    for name, title, make in makers:
        made = {search.name: chart for search in searches if search.reached and (chart := make(search))}
        panels = [_named(panel, search) for search, chart in made.items() for panel in chart.panels]
        if panels:
            counts = {len(chart.panels) for chart in made.values()}
            across = max(counts) if len(counts) == 1 and counts != {1} else min(2, len(panels))
            drawn.append(Chart(name, title, f"For each search: {', '.join(made)}.", panels, columns=across))
    return [Section(one.name, one.title, one.says, figure=browser.draw(one)) for one in drawn if one.panels]


def _named(panel: Panel, search: str) -> Panel:
    """The panel with the name of its search."""
    return replace(panel, title=f"{search}, {panel.title}" if panel.title else search)


def _together(searches: Sequence[Search]) -> Chart:
    """The expected best score of n trials of each search in one panel, with the crossings."""
    direction = searches[0].found["direction"]
    drawn = {
        search.name: expected.curve([one for some in cells.values() for one in some], direction)
        for search in searches
        if (cells := expected.draws(search.trials))
    }
    values = [one.mean for found in drawn.values() for one in found]
    if not values:
        return Chart("together", "All in one", "", [])
    marks = scores.floors(searches[0])
    shown = score_range(values, list(marks.values()), searches[0].minimum)
    series = [
        Series(
            name,
            [one.trials for one in found],
            [one.mean for one in found],
            low=[max(one.mean - one.sd, shown.ends[0]) if shown.log else one.mean - one.sd for one in found],
            high=[one.mean + one.sd for one in found],
            colour=PALETTE[number % len(PALETTE)],
            texts=[f"{name}: {one.trials} trials<br>{one.mean:.4g} ± {one.sd:.2g}" for one in found],
        )
        for number, (name, found) in enumerate(drawn.items())
    ]
    crossed = "; ".join(expected.crossings(drawn, direction)) or "no curve crosses another"
    says = f"The best score that one may expect of n trials of each search, as if drawn at random: {crossed}."
    panel = Panel(
        "trials", scores.label(searches[0]), series, log_y=shown.log, y_range=shown.ends, lines=marks, whole_x=True
    )
    return Chart("together", "Expected best of each search", says, [panel])
