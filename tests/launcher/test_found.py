"""What a search has found, as Python has it: the same as the command line and MLflow say."""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest
from support.searching import Recurrent, Searched

from experiments import Found, open_search
from experiments.errors import BadInput, SearchStateError, StoreError


@pytest.fixture
def found(searched: Searched, monkeypatch: pytest.MonkeyPatch) -> Found:
    monkeypatch.chdir(searched.folder)
    return open_search("t")


def test_results_are_those_of_the_command(recurrent: Recurrent, searched: Searched, found: Found) -> None:
    assert found.results == json.loads(recurrent("results", "t", "--json", cwd=searched.folder).stdout)
    assert (found.name, found.uri) == ("t", searched.uri)


def test_the_best_is_that_of_mlflow(searched: Searched, found: Found) -> None:
    scores = {run.info.run_id: run.data.metrics["best/mse"] for run in searched.trials()}
    assert found.best is not None
    assert found.best["run_id"] == min(scores, key=lambda run: scores[run])
    assert found.best["score"] == min(scores.values())
    assert [trial["score"] for trial in found.ranked] == sorted(scores.values())


def test_the_answer_has_three_sentences(found: Found) -> None:
    lines = found.answer.split("\n")
    assert len(lines) in (2, 3) and all(line.endswith(".") for line in lines)
    assert found.best is not None and found.best["architecture"] in found.answer


def test_the_table_has_every_trial_and_value(searched: Searched, found: Found) -> None:
    table, runs = found.table, {run.data.tags["recurrent.trial"]: run for run in searched.trials()}
    assert len(table) == 6 and set(table["trial"]) == set(runs)
    assert list(table["score"]) == sorted(table["score"])
    assert list(table.columns[:2]) == ["trial", "architecture"] and table["width"].dtype == np.int64
    for _, row in table.iterrows():
        run = runs[row["trial"]]
        assert (row["cell"], str(row["depth"])) == (run.data.params["cell"], run.data.params["depth"])
        assert row["learning_rate"] == float(run.data.params["learning_rate"])
        assert row["parameters"] == run.data.metrics["cost/parameters"]
        assert row["horizon/half_life_50"] == run.data.metrics["horizon/half_life_50"]
    assert table.pivot_table("score", "cell", aggfunc="min").min().item() == table["score"][0]


def test_a_notebook_shows_the_best_trials(found: Found) -> None:
    html = found._repr_html_()
    assert html.count("<tr") == 7 and found.best is not None and found.best["architecture"] in html
    assert "&lt;search &#x27;t&#x27;: adding, 6 trials, best " in html
    assert repr(found).startswith("<search 't': adding, 6 trials, best ") and repr(found).endswith(">")


def test_an_export_is_that_of_the_command(searched: Searched, found: Found, tmp_path: Path, exported: Path) -> None:
    """Keras and the variables of this process are as they were."""
    before, policy = dict(os.environ), keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.set_max_epochs(7)
    try:
        card = found.export(tmp_path / "best")
        assert (keras.config.dtype_policy().name, keras.config.max_epochs()) == ("mixed_float16", 7)
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_max_epochs(None)
    assert dict(os.environ) == before
    assert card == json.loads((tmp_path / "best" / "model.json").read_text("utf-8"))
    theirs = json.loads((exported / "model.json").read_text("utf-8"))
    assert {key: card[key] for key in card if "score" not in key} == {
        key: theirs[key] for key in theirs if "score" not in key
    }
    assert card["test_score"] == pytest.approx(theirs["test_score"], rel=1e-6)
    x = np.random.default_rng(0).normal(size=(3, 50, 2)).astype("float32")
    one, other = (keras.models.load_model(folder / "model.keras") for folder in (tmp_path / "best", exported))
    assert np.allclose(one.predict(x, verbose=0), other.predict(x, verbose=0))


def test_what_is_refused(searched: Searched, found: Found, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    with pytest.raises(BadInput, match="^to: expected a new folder"):
        found.export(tmp_path / "full")
    with pytest.raises(BadInput, match="^options corpus: expected a text"):
        found.export(tmp_path / "best", options={"corpus": ["a"]})
    with pytest.raises(SearchStateError, match="^NAME: expected a search in .* got 'tt'; did you mean 't'"):
        open_search("tt", tracking_uri=searched.uri)
    with pytest.raises(StoreError, match="^tracking-uri: expected a record"):
        open_search("t", tracking_uri=f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(BadInput, match="^tracking-uri: expected sqlite"):
        open_search("t", tracking_uri="postgresql://host/db")


def test_another_backend_of_keras_is_refused(found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(BadInput, match="^keras: expected the backend tensorflow, .*, got 'jax'"):
        found.export(tmp_path / "best")
    assert not (tmp_path / "best").exists()
