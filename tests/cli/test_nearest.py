"""An unknown name is answered with the nearest known one, and `recurrent --version` with the version."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
from support.searching import Recurrent

from tracking.text import did_you_mean


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (("serch", "adding"), "search"),
        (("search", "ading"), "adding"),
        (("tasks", "char-lm"), "char_lm"),
        (("search", "adding", "--widht", "3"), "--width"),
        (("search", "adding", "--trails=3"), "--trials"),
        (("results", "--jsn"), "--json"),
        (("search", "adding", "--cells", "LSTM"), "lstm"),
        (("search", "adding", "--cells", "gru,simplernn"), "simple_rnn"),
        (("kernels", "--cells", "grü"), "gru"),
        (("search", "adding", "-o", "lenght=5"), "length"),
        (("search", "adding", "-o", "variant=anywere"), "anywhere"),
        (("search", "char_lm", "-o", "corpus=python-libary"), "python-library"),
        (("search", "adding", "--oracle", "tbe"), "tpe"),
        (("search", "adding", "--pruner", "medain"), "median"),
        (("search", "adding", "--schedule", "cosin"), "cosine"),
        (("search", "adding", "--optimizer", "Adam"), "adam"),
        (("search", "adding", "--init", "crono"), "chrono"),
        (("search", "adding", "--residual", "yess"), "yes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_the_nearest_name_is_offered(
    recurrent: Recurrent, tmp_path: Path, words: tuple[str, ...], nearest: str
) -> None:
    done = recurrent(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"; did you mean '{nearest}'?\n") and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir()), "nothing is made"


def test_no_name_is_near() -> None:
    assert did_you_mean("transformer", ["gru", "lstm"]) == ""
    assert did_you_mean("", []) == ""


def test_a_word_too_many_is_named(recurrent: Recurrent, tmp_path: Path) -> None:
    done = recurrent("tasks", "adding", "more", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "recurrent tasks: unrecognized arguments: more\n")


def test_the_version(recurrent: Recurrent, tmp_path: Path) -> None:
    done = recurrent("--version", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(rf"recurrent-search {re.escape(version('recurrent-search'))}\n", done.stdout)
