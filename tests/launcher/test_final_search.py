"""Finals as users run them: a search, its finals, what they say, and the model that is exported."""

from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from scipy import stats
from support.cards import checked_card
from support.once import copied
from support.searching import Searched, run

SEEDS, WORDS = 3, ("finals", "t", "--seeds", "3", "--lengths", "2", "--workers", "2")
FINALS_SECONDS = 600  # that nine finals may take on a busy machine


@pytest.fixture(scope="module")
def finals(searched: Searched, tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """The search `t` with finals of the best candidate of each of its three cells."""
    folder = copied(searched.folder, tmp_path_factory.mktemp("finals").resolve())
    done = run(*WORDS, cwd=folder, seconds=FINALS_SECONDS)
    assert (done.returncode, done.stderr) == (0, ""), done
    return replace(searched, folder=folder, done=done)


def summary(finals: Searched) -> dict[str, Any]:
    return dict(finals.results()["finals"])


def test_the_best_candidate_of_each_cell_is_trained_from_every_seed(finals: Searched) -> None:
    runs = finals.runs("final")
    tags = [(run.data.tags["recurrent.candidate"], int(run.data.tags["recurrent.seed"])) for run in runs]
    best: dict[str, Any] = {}
    for trial in sorted(finals.results()["trials"], key=lambda trial: (trial["score"] is None, trial["score"])):
        best.setdefault(trial["values"]["cell"], trial)
    assert sorted(tags) == sorted((trial["trial"], seed) for trial in best.values() for seed in range(SEEDS))
    assert {run.info.status for run in runs} == {"FINISHED"} and finals.parent.info.status == "FINISHED"
    data = {(run.data.tags["recurrent.seed"], run.data.tags["recurrent.data_seed"]) for run in runs}
    assert len(data) == len({seed for _, seed in data}) == SEEDS, "a seed has the same data with every candidate"
    assert len(finals.trials()) == len(finals.results()["trials"]), "finals are no trials"


def test_what_is_said_is_what_scipy_says_of_the_runs(finals: Searched) -> None:
    found, runs = summary(finals), finals.runs("final")
    scores: dict[str, list[tuple[float, float]]] = {}
    for run_ in sorted(runs, key=lambda run: int(run.data.tags["recurrent.seed"])):
        metrics = run_.data.metrics
        scores.setdefault(run_.data.tags["recurrent.candidate"], []).append((metrics["best/mse"], metrics["test/mse"]))
    means = {name: fmean(val for val, _ in some) for name, some in scores.items()}
    winner = min(means, key=means.__getitem__)
    assert found["winner"] == winner and found["complete"]
    own = [test for _, test in scores[winner]]
    low, high = stats.t.interval(0.95, SEEDS - 1, fmean(own), stats.sem(own))
    assert (found["candidates"][0]["low"], found["candidates"][0]["high"]) == pytest.approx((low, high))
    raw = {
        one["other"]: stats.ttest_rel([test for _, test in scores[one["other"]]], own) for one in found["comparisons"]
    }
    smallest = min(raw, key=lambda name: raw[name].pvalue)
    for one in found["comparisons"]:
        assert one["difference"] == pytest.approx(fmean(test for _, test in scores[one["other"]]) - fmean(own))
        if one["other"] == smallest:
            assert one["p"] == pytest.approx(min(1, 3 * raw[smallest].pvalue)), "of three pairs"
    search = next(trial for trial in finals.results()["trials"] if trial["trial"] == winner)
    assert found["curse"] == pytest.approx(search["score"] - means[winner])


def test_the_table_and_the_sentences_are_printed(finals: Searched) -> None:
    assert (
        "finals: 3 candidate(s) (" in finals.done.stdout and "x 3 seed(s) x 2 epochs, 2 worker(s)" in finals.done.stdout
    )
    assert "the finals have ended: all 9 finals are done" in finals.done.stdout
    shown = run("results", "t", cwd=finals.folder)
    assert "Finals: 3 fresh seeds, 2 epochs; chosen on validation, MSE on test" in shown.stdout
    found = summary(finals)
    for one in found["comparisons"]:
        assert " ".join(one["sentence"].split()) in " ".join(shown.stdout.split())
    assert "x2" in shown.stdout and "± 95 %" in shown.stdout and "in the search" in shown.stdout


def test_the_middle_seed_of_the_winner_is_exported(finals: Searched) -> None:
    done = run("export", "t", "--to", "final", cwd=finals.folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    card = checked_card(finals.folder / "final")
    found = summary(finals)["candidates"][0]
    assert card["trial"] == found["trial"] and card["final"]["of"] == SEEDS
    assert card["final"]["validation"] == found["validation"]
    assert card["longer"] == {"2": pytest.approx(fmean(found["longer"]["2"]))}
    page = (finals.folder / "final" / "README.md").read_text("utf-8")
    assert "sequences of up to 50 steps. It was also tested on longer sequences: MSE " in page
    assert card["model_score"] == sorted(found["validation"])[SEEDS // 2]
    seed = card["final"]["seed"]
    assert card["model_score"] == found["validation"][seed]
    assert card["test_score"] == pytest.approx(found["test"][seed], rel=1e-5)
    assert f"seed {seed} of {SEEDS} in the finals, counted from 0, is rank 2 of 3, best first" in done.stdout


def test_the_same_command_again_trains_nothing(finals: Searched) -> None:
    before = {run.info.run_id: run.data.metrics for run in finals.runs("final")}
    done = run(*WORDS, cwd=finals.folder)
    assert (done.returncode, done.stderr) == (0, "") and "all done" in done.stdout
    assert {run.info.run_id: run.data.metrics for run in finals.runs("final")} == before
    refused = run("finals", "t", "--seeds", "2", cwd=finals.folder)
    expected = "--seeds: expected 3 or more, as an earlier call had, got 2"
    assert (refused.returncode, refused.stderr) == (2, f"recurrent finals: {expected}\n")


def test_what_was_deleted_in_mlflow_comes_back(finals: Searched) -> None:
    before = summary(finals)
    for run_ in finals.runs("final")[:2]:
        finals.client.delete_run(run_.info.run_id)
    assert not summary(finals)["complete"]
    done = run("sync", "t", cwd=finals.folder)
    assert (done.returncode, done.stderr) == (0, "") and "2 deleted run(s) restored" in done.stdout
    assert summary(finals) == before


@pytest.mark.slow
def test_a_store_that_lost_all_gets_all(finals: Searched, tmp_path: Path) -> None:
    folder = copied(finals.folder, (tmp_path / "copy").resolve())
    (folder / "mlflow.db").unlink()
    done = run("sync", "t", cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    again, before = replace(finals, folder=folder), summary(finals)
    found = summary(again)
    for one in (found, before):
        for candidate in one["candidates"]:
            del candidate["run_ids"]
    assert found == before
    assert run("export", "t", "--to", "final", cwd=folder).returncode == 0


@pytest.mark.slow
def test_the_winner_is_trained_on_both_splits(language: Searched, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = copied(language.folder, tmp_path_factory.mktemp("whole").resolve())
    words = ("finals", "words", "--seeds", "2", "--epochs", "1", "--data", "train+val", "--workers", "1")
    done = run(*words, cwd=folder, seconds=FINALS_SECONDS)
    assert (done.returncode, done.stderr) == (0, ""), done
    search = replace(language, folder=folder)
    whole = [run for run in search.runs("final") if "recurrent.data" in run.data.tags]
    assert len(search.runs("final")) == 2 * 2 + 1 and len(whole) == 1, "two seeds of each of two cells, and the winner"
    assert whole[0].data.tags["recurrent.data"] == "train+val"
    exported = run("export", "words", "--to", "both", cwd=folder)
    assert (exported.returncode, exported.stderr) == (0, ""), exported
    card = checked_card(folder / "both")
    assert card["final"]["data"] == "train+val" and card["run_id"] == whole[0].info.run_id
