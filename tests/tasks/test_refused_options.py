"""Options that contradict each other: one line that names them; and names of many symbols."""

import pytest

from experiments.tasks.base import Task
from experiments.tasks.loading.find import make
from tracking.errors import BadInput


def made(name: str, **options: str) -> Task:
    return make(name, options, 2, None)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("parity", {"length": "10", "shortest": "11"}, "shortest: expected at most length=10, got 11"),
        ("listops", {"longest": "40", "shortest": "41"}, "shortest: expected at most 40, got 41"),
        ("reber", {"depth": "2", "longest": "12"}, "longest: expected at least 13, got 12"),
        ("char_lm", {"val": "1"}, "train, val, test: expected 0 for all, or 2 or more, got 1"),
    ],
    ids=["parity", "listops", "reber", "char_lm"],
)
def test_options_that_contradict_each_other(name: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        made(name, **options)
    assert str(refused.value) == message


def test_expressions_of_a_length_that_hardly_occurs() -> None:
    task = made("listops", depth="2", arguments="2", shortest="90", longest="90")
    with pytest.raises(BadInput, match="^shortest, longest: expected lengths that depth=2 and arguments=2 often give"):
        task.split("train", 0)


def test_more_kinds_of_brackets_than_there_are_signs() -> None:
    assert made("dyck", kinds="2").token_names() == ["|", "(", "[", ")", "]"]
    assert made("dyck", kinds="5").token_names() == [
        "|",
        *(f"({kind}" for kind in "12345"),
        *(f"{kind})" for kind in "12345"),
    ]
