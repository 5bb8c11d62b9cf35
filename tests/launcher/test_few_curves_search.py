"""`recurrent search --record best:N` from its first line to what `--resume --record all` makes of it."""

from pathlib import Path

from support.searching import Searched, events, run
from support.servers import WORDS

NAME, TRIALS = "away", 4  # of WORDS, whose trials have two epochs


def steps(searched: Searched) -> dict[str, list[int]]:
    """The epochs that MLflow has of each trial."""
    return {
        trial.data.tags["recurrent.trial"]: sorted(point.step for point in searched.curve(trial, "val_mse"))
        for trial in searched.trials()
    }


def test_a_search_with_few_curves_gets_all_of_them_later(tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    done = run(*WORDS, "--record", "best:1", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    searched = Searched(folder, NAME, done)
    scores = {trial["trial"]: trial["score"] for trial in searched.results()["trials"]}
    ends = {number: events(folder, NAME, number)[-1] for number in scores}
    assert scores == {number: end["score"] for number, end in ends.items()} and len(scores) == TRIALS
    first = steps(searched)
    was_best, least = set(), float("inf")  # the trials that were the best one when they ended
    for number in sorted(ends, key=lambda number: ends[number]["time"]):
        if scores[number] < least:
            was_best.add(number)
            least = scores[number]
    whole = {number for number, found in first.items() if found == [0, 1]}
    assert {min(scores, key=lambda number: scores[number])} <= whole <= was_best
    assert all(first[number] == [1] for number in scores.keys() - whole)
    assert searched.parent.data.tags["recurrent.record"] == "best:1"

    synced = run("sync", NAME, cwd=folder)
    assert (synced.returncode, synced.stderr, steps(searched)) == (0, "", first), "sync does as the search was told"
    again = run(*WORDS, "--record", "all", cwd=folder)
    assert (again.returncode, again.stderr) == (0, "")
    assert steps(searched) == {number: [0, 1] for number in scores}
    assert searched.parent.data.tags["recurrent.record"] == "all"
