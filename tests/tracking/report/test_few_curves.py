"""A report of a search that has sent the curves of its best trials only."""

import re
from pathlib import Path

from support.reported import CELLS, found, write_search

from tracking.horizon import horizons, with_curves
from tracking.report.gather import gather
from tracking.report.page import page
from tracking.report.training import learning

TRIALS, BEST = 24, 4


def test_the_page_says_of_how_many_trials_it_has_curves(tmp_path: Path) -> None:
    write_search(tmp_path, "few", TRIALS, record=f"best:{BEST}")
    search = gather(*found(tmp_path, "few"))
    whole = {trial["trial"] for trial in search.trials if trial["recorded"] == "all"}
    assert {trial["trial"] for trial in search.ranked[:BEST]} <= whole and len(whole) <= BEST + len(CELLS)
    assert {trial["trial"] for trial in search.trials if trial.get("curve")} == whole
    assert {len(trial["curve"]) for trial in search.trials if trial.get("curve")} == {10}
    assert set(search.norms) == set(CELLS) == {trial["values"]["cell"] for trial in search.horizons}
    drawn = learning(search)
    assert drawn is not None and sum(len(panel.series) for panel in drawn.panels) == len(whole)
    said = f"MLflow has the curves of {len(whole)} of {len(search.reached)} trials (--record best:{BEST})."
    text = page(search)
    assert text.count(said) == 3, "below the learning curves, the norms and the horizons"
    assert re.search(rf"--record[^\n]*best:{BEST}[^\n]* --name few", text), "the command repeats it"


def test_a_search_with_all_curves_says_nothing(tmp_path: Path) -> None:
    write_search(tmp_path, "whole", 12)
    search = gather(*found(tmp_path, "whole"))
    assert {trial["recorded"] for trial in search.trials} == {"all"} and not search.notes
    assert "MLflow has the curves" not in page(search)


def test_horizons_of_trials_without_curves_are_passed_over(tmp_path: Path) -> None:
    """The best trial of a cell may lack its curves while a search runs."""
    write_search(tmp_path, "whole", 12)
    search = gather(*found(tmp_path, "whole"))
    first = horizons(*found(tmp_path, "whole"))
    best = next(trial for trial in search.ranked if trial["trial"] == first[0]["trial"])
    best["recorded"] = "last"
    client, _ = found(tmp_path, "whole")
    other = next(
        trial for trial in with_curves(client, search.ranked) if trial["values"]["cell"] == best["values"]["cell"]
    )
    assert other["trial"] != best["trial"] and all(other["curves"].values())
