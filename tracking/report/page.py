"""The page of a search: words, tables and figures in order, in one file that needs nothing else."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from typing import Any

from tracking.answer import answer
from tracking.caveats import caveats, winner
from tracking.ranking import preference, preferred
from tracking.report import browser, costs, finals, made, scores, study, tables, training, work
from tracking.report.chart import Chart
from tracking.report.gather import Search
from tracking.report.parallel import parallel
from tracking.report.slices import slices
from tracking.report.study import Studied
from tracking.report.tables import Table
from tracking.standing import candidates
from tracking.text import floors_line, format_count, format_number

SMALLEST = "small:2%"
DIGITS = 6  # significant ones of a number in a figure; a page must stay small
TOO_FEW = f"Nothing to draw: it takes {study.FEWEST} completed or pruned trials, and values that differ between them."
TESTED = (
    "The sentences on differences are of a paired t test, with Holm's correction for every pair of candidates; their"
    " intervals have the level of that correction, 95 % or more."
)
NOTHING = "Nothing to draw: MLflow has no data of this kind for any trial."


@dataclass
class Section:
    """A part of the page.

    Args:
        key: its anchor, and the name of its figure.
        says: a paragraph below the heading.
        sentences: a list.
        code: a command.
        figure: of Plotly.
    """

    key: str
    title: str
    says: str = ""
    sentences: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    code: str = ""
    figure: browser.Figure | None = None


def page(search: Search, check: Callable[[], None] = lambda: None, made_study: Studied | None = None) -> str:
    """The page as HTML.

    Args:
        check: called before each section. What it raises ends the work.
        made_study: of the search, if it is made already.
    """
    made_sections = []
    for section in _sections(search, made_study):
        check()
        made_sections.append(section)
    about = f"{search.spec['task']}, {search.found['metric']} ({search.found['direction']} is better)"
    return render(search.name, about, made_sections)


def charts(search: Search, made_study: Studied | None) -> dict[str, Chart | None]:
    """The figures that browser.py and paper.py draw, by their names, in the order of the page."""
    found = {
        "finals": finals.finals(search),
        "heat": scores.heat(search),
        "budget": scores.budget(search),
        "so_far": scores.so_far(search),
        "importance": study.importance(made_study),
        "slices": slices(search),
        "parallel": parallel(search, made_study.names if made_study else None),
        "pareto": costs.pareto(search) if search.reached else None,
        "learning": training.learning(search),
        "horizons": training.horizons(search),
        "gradients": training.norms(search),
        "timeline": work.timeline(search),
    }
    return found


def _sections(search: Search, made_study: Studied | None) -> Iterator[Section]:
    yield _answer(search)
    yield _leaderboard(search)
    made_study = made_study or study.studied(search)
    drawn = charts(search, made_study)
    yield _finals(search, drawn.pop("finals"))
    for name, title in (
        ("heat", "Cell × depth × width"),
        ("budget", "Expected best over budget"),
        ("so_far", "Best so far"),
        ("importance", "Which values matter"),
        ("slices", "Score by value"),
    ):
        yield _chart(name, title, drawn[name], TOO_FEW if name == "importance" else NOTHING)
    yield _contour(made_study)
    for name, title in (
        ("parallel", "All values of every trial"),
        ("pareto", "What a better score costs"),
        ("learning", "Learning curves"),
        ("horizons", "How far back the models see"),
        ("gradients", "Norms of the gradients"),
        ("timeline", "Timeline of the workers"),
    ):
        yield _chart(name, title, drawn[name], NOTHING)
    failed = tables.failures(search)
    says = "" if failed else "No trial has failed."
    yield Section("failures", "Failures", says, tables=[failed] if failed else [])
    yield _made(search)


def _answer(search: Search) -> Section:
    said = answer(search.found)
    whole = " ".join(said)
    open_questions = [sentence for sentence in caveats(search.found) if sentence[1:-1] not in whole]
    section = Section("answer", "The answer", _hand_over(search), sentences=said)
    section.code = f"recurrent export {search.name} --to DIR --format all" if search.ranked else ""
    if open_questions:
        rows = [[sentence] for sentence in open_questions]
        section.tables = [Table(["What to know before you believe it"], rows)]
    return section


def _hand_over(search: Search) -> str:
    """What somebody asks who wants to use the best model: how small it may be, its test score, how to get it."""
    best = winner(search.found)
    if best is None:
        return ""
    found = preferred(
        candidates(search.found["trials"]), search.found["direction"], preference(SMALLEST), search.found["floors"]
    )
    small = next(trial for trial in search.found["trials"] if found and int(trial["trial"]) == found.number)
    size = f"{small['architecture']} ({format_count(small['parameters'])} parameters, {format_number(small['score'])})"
    text = f"The smallest model within 2 % of the best score (--prefer {SMALLEST}) is {size}."
    if best["test_score"] is not None:
        text += f" On the test split {best['architecture']} scores {format_number(best['test_score'])}."
    return f"{text} This command writes the best model into a folder, verified, with a page that says how to deploy it:"


def _leaderboard(search: Search) -> Section:
    solved, better = search.found.get("solved"), "less" if search.minimum else "more"
    floors = floors_line(search.found["floors"])
    says = f"Floors are what models with less memory score; the first of them has no memory: {floors}."
    says += "" if solved is None else f" Solved is {format_number(solved)} or {better}."
    return Section("leaderboard", "Leaderboard", says, tables=[tables.by_cell(search), tables.leaders(search)])


def _finals(search: Search, chart: Chart | None) -> Section:
    table, further = tables.finals(search), [*filter(None, [tables.trained(search)])]
    if table is None:
        says = (
            "There are no finals yet. They train the best candidates of each cell again from fresh seeds, and say how"
            " sure the differences are:"
        )
        return Section("finals", "Finals: how sure", says, [], further, f"recurrent finals {search.name}")
    found = search.found["finals"]
    section = _chart("finals", "Finals: how sure", chart, NOTHING)
    section.sentences, section.tables = [one["sentence"] for one in found["comparisons"]], [table, *further]
    if found["comparisons"]:
        section.says += f" {TESTED}"
    if found["curse"] is not None:
        less = f"{found['curse']:.2g}"
        section.says += f" On validation the winner's score in the search minus its mean in the finals is {less}."
    section.says += "" if found["complete"] else " They have not ended yet."
    return section


def _chart(name: str, title: str, chart: Chart | None, without: str) -> Section:
    if chart is None:
        return Section(name, title, without)
    return Section(name, title, chart.says, figure=browser.draw(chart))


def _contour(made_study: Studied | None) -> Section:
    if made_study is None or len(made_study.names) < 2:
        return Section("contour", "Two values together", TOO_FEW)
    return Section("contour", "Two values together", study.contour_says(made_study), figure=study.contour(made_study))


def _made(search: Search) -> Section:
    parts = [made.facts(search), made.settings(search)]
    return Section(
        "made", "How it was made", "This command begins the same search:", [], parts, made.command(search.spec)
    )


def render(title: str, about: str, sections: list[Section]) -> str:
    """The page of these sections."""
    from jinja2 import Environment
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    folder = files("tracking.report")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        folder.joinpath("page.html.j2").read_text("utf-8")
    )
    figures = {section.key: section.figure for section in sections if section.figure}
    return template.render(
        title=title,
        about=about,
        sections=sections,
        time=datetime.now().astimezone().isoformat(sep=" ", timespec="minutes"),
        style=Markup(folder.joinpath("page.css").read_text("utf-8")),
        script=Markup(folder.joinpath("page.js").read_text("utf-8")),
        # The end of a script would end the element that holds it.
        plotly=Markup(get_plotlyjs().replace("</script", "<\\/script")),
        data=Markup(packed(figures)),
    )


def packed(figures: dict[str, browser.Figure]) -> str:
    """Figures as JSON that may stand in a page. Texts that many points share are written once, under `texts`."""
    from plotly.utils import PlotlyJSONEncoder

    texts: dict[str, int] = {}
    plain = json.loads(json.dumps(figures, cls=PlotlyJSONEncoder))
    for figure in plain.values():
        for trace in figure["data"]:
            if isinstance(trace.get("hovertext"), list) and trace["type"] != "heatmap":
                trace["hovertext"] = [texts.setdefault(text, len(texts)) for text in trace["hovertext"]]
    content = json.dumps({"figures": _short(plain), "texts": list(texts)}, separators=(",", ":"))
    return content.replace("<", "\\u003c")


def _short(value: Any) -> Any:
    """The same with fewer digits."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    return [_short(one) for one in value] if isinstance(value, list) else value
