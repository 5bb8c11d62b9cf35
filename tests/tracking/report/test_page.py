"""The page of a report: what stands in it, and that it needs nothing else."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.reported import found, uri_in, write_search
from test_charts import FINALS

from tracking.report import made, tables
from tracking.report.gather import MOST_CURVES, Search, gather
from tracking.report.page import page
from tracking.standing import by_cell
from tracking.store import connect

MOST_BYTES = 6_000_000
ORDER = (
    *("answer", "leaderboard", "finals", "heat", "budget", "so_far", "importance", "slices", "contour", "parallel"),
    *("pareto", "learning", "horizons", "gradients", "timeline", "failures", "made"),
)


class Reader(HTMLParser):
    """The sections and the tables of a page, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.loads: list[str] = []
        self.cells: list[list[str]] = []
        self.words = ""
        self.silent = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "section":
            self.sections.append(str(named["id"]))
        self.loads += [str(value) for key, value in attrs if key in ("src", "href") and not str(value).startswith("#")]
        self.silent = tag in ("script", "style")
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.silent = False

    def handle_data(self, data: str) -> None:
        if self.silent:
            return
        self.words += data
        if self.cells and self.cells[-1] and data.strip():
            self.cells[-1][-1] += data


def test_the_whole_page(small: Search) -> None:
    text = page(small)
    reader = Reader(text)
    assert tuple(reader.sections) == ORDER
    assert reader.loads == ["data:,"]
    assert len(text.encode()) < MOST_BYTES
    assert text.count("<script>") == 2 and "@import" not in text and "url(" not in text.split("</style>")[0]


def test_the_numbers_are_those_of_the_store(small: Search, store: Path) -> None:
    """Best, median and counts of each cell, from MLflow's own client."""
    client, parent = found(store, "small")
    where = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    runs = client.search_runs([parent.info.experiment_id], where)
    rows = {row[0]: row for row in tables.by_cell(small).rows}
    headings = tables.by_cell(small).headings
    assert set(rows) == {run.data.params["cell"] for run in runs} == {"gru", "lstm", "simple_rnn"}
    for cell, row in rows.items():
        own = [run for run in runs if run.data.params["cell"] == cell]
        done = [run for run in own if run.info.status == "FINISHED"]
        best = min(done, key=lambda run: run.data.metrics["best/mse"])
        shown = dict(zip(headings, row, strict=True))
        assert shown["MSE"] == f"{best.data.metrics['best/mse']:.4g}"
        assert shown["best model"] == best.data.params["architecture"]
        assert shown["parameters"] == f"{int(best.data.metrics['cost/parameters']):,}"
        assert (int(shown["tried"]), int(shown["completed"])) == (len(own), len(done))
        assert int(shown["pruned"]) == sum(run.data.tags["recurrent.outcome"] == "pruned" for run in own)


def test_the_cells_stand_best_first(small: Search) -> None:
    column = tables.by_cell(small).headings.index("MSE")
    numbers = [float(row[column]) for row in tables.by_cell(small).rows]
    assert numbers == sorted(numbers)


def test_a_cell_whose_trials_were_all_pruned_has_a_row(small: Search) -> None:
    for trial in small.trials:
        if trial["values"]["cell"] == "gru":
            trial |= {"score": None, "outcome": "pruned"}
    small.found["cells"] = by_cell(small.found, [])
    row = next(row for row in tables.by_cell(small).rows if row[0] == "gru")
    best = min(trial["reached"] for trial in small.trials if trial["values"]["cell"] == "gru")
    assert row[3] == f"({best:.4g})" and row[7:] == ["-", "4", "0", "4", "0"]


def test_finals_stand_in_the_page(small: Search) -> None:
    assert "recurrent finals small" in Reader(page(small)).words
    small.found["finals"] = FINALS
    words = Reader(page(small)).words
    assert (
        "lstm-96 is better than gru-64." in words
        and "33%" in words
        and "1, 2 failed" in words
        and "2 × as long" in words
    )
    assert "recurrent finals small" not in words


def test_names_cannot_break_the_page(small: Search) -> None:
    evil = "</script><script>alert(1)</script>&<b>"
    small.found["search"] = evil
    for trial in small.trials:
        trial |= {"architecture": evil, "reason": evil}
    text = page(small)
    assert "<script>alert" not in text
    assert text.count("</script>") == 3
    assert evil in Reader(text).words


def test_the_command_repeats_the_search(small: Search) -> None:
    from experiments.cli.main import parse

    words = made.command(small.spec).split()[1:]
    parsed = parse(words)
    assert parsed.name == "small" and parsed.options == ["length=50"] and parsed.cells == "gru,lstm,simple_rnn"
    for flag in ("oracle", "width", "epochs", "trials", "batch", "pruner"):
        assert getattr(parsed, flag) == small.spec[flag]


def test_how_it_was_made(small: Search) -> None:
    facts = dict(tables_rows(made.facts(small)))
    assert facts["seed"] == "0" and facts["data, digest"] == "0" * 64
    assert re.search(r"tensorflow 2\.", facts["versions"])
    assert re.fullmatch(r"\d+ cores, [\d.,]+ GiB of memory, \S+.*", facts["machine"])
    small.spec.pop("machine")  # as an earlier version has it
    assert dict(tables_rows(made.facts(small)))["machine"] == "not noted"


def tables_rows(table: tables.Table) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in table.rows]


def test_a_search_without_a_trial(store: Path) -> None:
    write_search(store, "empty", 0)
    text = page(gather(*found(store, "empty")))
    assert tuple(Reader(text).sections) == ORDER
    assert "There is no answer yet" in text


@pytest.mark.parametrize("trials", [1, 2])
def test_few_trials(store: Path, trials: int) -> None:
    write_search(store, f"few-{trials}", trials)
    assert tuple(Reader(page(gather(*found(store, f"few-{trials}")))).sections) == ORDER


def test_what_is_thinned_out_is_said(store: Path) -> None:
    write_search(store, "many", 100, recipe=True)
    search = gather(*found(store, "many"))
    shown = [trial for trial in search.trials if trial.get("curve")]
    assert len(shown) == MOST_CURVES
    assert "The figure shows 60 of 95 trials: the best 20 of each cell." in page(search)
    assert "The first 25 of 95 trials." in page(search)


def test_another_store_is_not_touched(small: Search, store: Path) -> None:
    before = {run.info.run_id for run in connect(uri_in(store)).search_runs(["1"])}
    page(small)
    assert {run.info.run_id for run in connect(uri_in(store)).search_runs(["1"])} == before
