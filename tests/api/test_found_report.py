"""The report from Python: the page of the command, in a frame of a notebook."""

import html
import re
from pathlib import Path

import pytest
from support.searching import Recurrent, Searched

from experiments import open_search
from experiments.errors import BadInput


def test_a_report_is_the_page_of_the_command(
    recurrent: Recurrent, searched: Searched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = recurrent("report", "t", "--to", str(tmp_path / "theirs.html"), cwd=searched.folder)
    assert (done.returncode, done.stderr) == (0, "")
    report = open_search("t").report(to=tmp_path / "ours.html")
    assert (tmp_path / "ours.html").read_text("utf-8") == report.html
    theirs = (tmp_path / "theirs.html").read_text("utf-8")
    assert headings(report.html) == headings(theirs) and len(headings(theirs)) > 3
    frame = report._repr_html_()
    assert html.unescape(frame[frame.index('srcdoc="') + 8 : frame.index('" width=')]) == report.html
    assert repr(report) == f"<report: a page of {len(report.html):,} characters>"
    logged = [file.path for file in searched.client.list_artifacts(searched.parent.info.run_id)]
    assert "report.html" in logged
    with pytest.raises(BadInput, match="^to: expected a file like report.html"):
        open_search("t").report(to=tmp_path)


def headings(page: str) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", page)
