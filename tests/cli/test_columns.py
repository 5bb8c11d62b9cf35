"""The trials of a search in other forms: sorted, as CSV, Markdown and LaTeX, read again by other programs."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.refusals import refused
from support.searching import Recurrent, Searched

from experiments.cli.columns import as_latex, as_markdown, columns, sorted_by

COMPLETED: dict[str, Any] = {
    "trial": "0000",
    "outcome": "completed",
    "architecture": "gru-16 chrono",
    "score": 0.25,
    "spread": None,
    "reached": 0.25,
    "epochs": 10,
    "parameters": 1_040,
    "flops_per_token": 8_768.0,
    "flops_per_step": 1e9,
    "ms_per_step": 1.5,
    "seconds": 61.0,
    "test_score": None,
    "kernel": "loop",
    "reason": None,
    "values": {"cell": "gru", "width": 16, "learning_rate": 0.001, "bias_gru": "none"},
}
PRUNED = {**COMPLETED, "trial": "0001", "outcome": "pruned", "architecture": "lstm|8_&", "score": None, "reached": 0.5}
PRUNED |= {
    "epochs": 3,
    "parameters": 40,
    "values": {"cell": "lstm", "width": 8, "learning_rate": 0.01, "bias_gru": 1.5},
}
FAILED = {**PRUNED, "trial": "0002", "outcome": "failed", "reached": None, "epochs": None, "parameters": None}
SEARCH = {"metric": "mse", "direction": "min", "trials": [COMPLETED, PRUNED, FAILED]}


def order(column: str, direction: str = "min") -> list[str]:
    return [one["trial"] for one in sorted_by({**SEARCH, "direction": direction}, [PRUNED, COMPLETED, FAILED], column)]


def test_a_column_gives_the_order() -> None:
    assert order("parameters") == ["0001", "0000", "0002"], "what has none comes last"
    assert order("reached") == ["0000", "0001", "0002"]
    assert order("reached", "max") == ["0001", "0000", "0002"], "the best score comes first"
    assert order("learning_rate") == ["0000", "0001", "0002"]
    assert order("bias_gru") == ["0001", "0002", "0000"], "words come after numbers"
    assert order("outcome") == ["0000", "0002", "0001"]
    assert order("kernel") == ["0001", "0000", "0002"], "equal ones stay as they are"


def test_an_unknown_column_answers_with_those_that_there_are() -> None:
    with pytest.raises(
        ValueError, match="^--sort: expected one of trial, .*, got 'paramters'; did you mean 'parameters'"
    ):
        order("paramters")
    assert {"cell", "width", "learning_rate", "bias_gru", "ms_per_step"} <= set(columns(SEARCH))
    assert len(columns(SEARCH)) == len(set(columns(SEARCH)))


def test_markdown_is_a_table_of_equal_rows() -> None:
    lines = as_markdown(SEARCH, SEARCH["trials"]).splitlines()
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    assert {len(row) for row in cells} == {9}
    assert [heading.strip() for heading in cells[0]][:3] == ["architecture", "MSE", "parameters"]
    assert cells[1][0].strip() == "---" and {cell.strip() for cell in cells[1][1:]} == {"---:"}
    assert [cell.strip() for cell in cells[3]][:2] == [r"lstm\|8_&", "0.5"]
    assert "3 pruned" in lines[3] and "- failed" in lines[4]


def test_latex_escapes_what_it_reads_as_commands() -> None:
    text = as_latex(SEARCH, [COMPLETED, {**PRUNED, "spread": 0.012}])
    lines = text.splitlines()
    assert lines[0] == r"\begin{tabular}{lrrrrrrrrr}" and lines[-1] == r"\end{tabular}"
    rows = [line for line in lines if line.endswith(r" \\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [9, 9, 9]
    assert r"lstm|8\_\&" in text and r"$\pm$ sd" in text
    assert not re.search(r"(?<!\\)[%#_]", text)


# ---- the command ----


def printed(recurrent: Recurrent, searched: Searched, *words: str) -> str:
    done = recurrent("results", "t", *words, cwd=searched.folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_csv_has_all_that_json_has(recurrent: Recurrent, searched: Searched) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(recurrent, searched, "--csv", "--all"))))
    trials = {one["trial"]: one for one in json.loads(printed(recurrent, searched, "--json"))["trials"]}
    assert len(rows) == len(trials) == 6
    assert [float(row["score"]) for row in rows] == sorted(one["score"] for one in trials.values()), "all digits"
    for row in rows:
        own = trials[row["trial"]]
        assert (row["architecture"], row["cell"], row["spread"]) == (own["architecture"], own["values"]["cell"], "")
        assert int(row["parameters"]) == own["parameters"] and float(row["ms_per_step"]) == own["ms_per_step"]
        assert float(row["learning_rate"]) == own["values"]["learning_rate"] and int(row["epochs"]) == 2


def test_every_form_has_the_order_that_is_asked_for(recurrent: Recurrent, searched: Searched) -> None:
    sizes = sorted((run.data.metrics["cost/parameters"], run.data.tags["recurrent.trial"]) for run in searched.trials())
    shown = printed(recurrent, searched, "--sort", "parameters")
    table = shown[shown.index("All trials") :].split("\n\n")[0]
    rows = [line.split() for line in table.splitlines()[2 : 2 + len(sizes)]]
    counts = [int(next(word for word in row[2:] if "," in word or word.isdigit()).replace(",", "")) for row in rows]
    assert counts == [int(size) for size, _ in sizes]
    numbers = [trial for _, trial in sizes]
    for form, end in (("--markdown", r"\|"), ("--latex", r"\\\\")):
        text = printed(recurrent, searched, "--sort", "parameters", form)
        assert re.findall(rf" (\d{{4}}) {end}$", text, re.MULTILINE) == numbers
    lines = printed(recurrent, searched, "--sort", "parameters", "--csv").splitlines()
    assert [line["trial"] for line in csv.DictReader(lines)] == numbers
    listed = json.loads(printed(recurrent, searched, "--sort", "parameters", "--json"))["trials"]
    assert [one["parameters"] for one in listed] == counts


def test_what_does_not_go_together_is_refused(recurrent: Recurrent, searched: Searched, tmp_path: Path) -> None:
    here = searched.folder
    refused(recurrent("results", "t", "--csv", "--json", cwd=here), "--json", "--csv")
    refused(recurrent("results", "t", "--sort", "size", cwd=here), "--sort", "parameters", "learning_rate", "'size'")
    refused(recurrent("results", "t", "--prefer", "tiny", cwd=here), "--prefer", "small:2%", "fast:2%", "'tiny'")
    for flag in (["--csv"], ["--all"], ["--sort", "score"], ["--prefer", "none"]):
        refused(recurrent("results", *flag, cwd=here), flag[0], "NAME")


def test_a_preference_is_that_of_the_search_or_of_the_reader(recurrent: Recurrent, searched: Searched) -> None:
    found = json.loads(printed(recurrent, searched, "--json"))
    assert (found["prefer"], found["preferred"]) == ("none", found["ranking"][0])
    smallest = min(found["trials"], key=lambda one: (one["parameters"], one["score"]))
    shown = printed(recurrent, searched, "--prefer", "small:100%")
    weakest = max(found["floors"].values())
    if smallest["score"] <= weakest:
        assert f"--prefer small:100% takes trial {smallest['trial']} {smallest['architecture']}: MSE " in shown
    assert "--prefer" not in printed(recurrent, searched)
