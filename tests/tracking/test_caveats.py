"""What somebody must know before they believe the answer: searches written by hand."""

from typing import Any

import pytest
from support.found import finalist, finals, found, trial

from tracking import caveats as module
from tracking.caveats import listed
from tracking.standing import conclusions

SURE = {"spread": 0.0001}


def caveats(searched: dict[str, Any]) -> list[str]:
    """Of a search whose trials a test has changed."""
    asked = [cell["cell"] for cell in searched["cells"]]
    return module.caveats(searched | conclusions(searched, asked))


def two(**more: Any) -> dict[str, Any]:
    """Two cells, each tried at two learning rates that lie inside of the range, from several seeds."""
    return found(
        trial("0000", "gru", 0.002, **SURE),
        trial("0001", "lstm", 0.004, **SURE),
        trial("0002", "gru", 0.01, learning_rate=0.02, **SURE),
        trial("0003", "lstm", 0.01, learning_rate=0.02, **SURE),
        **more,
    )


def test_a_search_without_reservations() -> None:
    assert caveats(two()) == []


def test_a_cell_of_which_one_candidate_was_trained_to_the_end() -> None:
    """Of an LSTM that was pruned at the first rung four times, the answer said only that it had learnt nothing."""
    gone = [trial(f"000{n}", "lstm", None, reached=0.17, outcome="pruned", learning_rate=0.02) for n in (4, 5)]
    again = trial("0006", "lstm", 0.17, continues="0005", learning_rate=0.02, **SURE)
    searched = two()
    searched["trials"] = [one for one in searched["trials"] if one["values"]["cell"] == "gru"] + [*gone, again]
    searched["trials"].append(trial("0007", "lstm", None, reached=0.2, outcome="pruned"))
    searched["trials"].append(trial("0009", "lstm", None, outcome=None))  # it still runs
    assert caveats(searched) == ["Only one of 3 lstm candidates was trained to the end."]
    ended = finals("0006", finalist("0006", 0.1), finalist("0000", 0.2))
    assert caveats(searched | {"finals": ended}) == [], "the winner is the answer"
    searched["trials"].append(trial("0008", "lstm", 0.18, **SURE))
    assert caveats(searched) == []


def test_no_completed_trial_has_no_caveats() -> None:
    assert caveats(found(trial("0000", "gru", None))) == []


def test_a_training_that_ends_while_the_score_improves() -> None:
    """The reader of a report asked whether the trainings had converged, and no sentence said so."""
    searched = two()
    gru, lstm, *_ = searched["trials"]
    gru |= {"epoch": 18, "epochs": 20}  # the best epoch, counted from 0, and the finished ones
    assert caveats(searched) == []
    lstm |= {"epoch": 19, "epochs": 20}
    assert caveats(searched) == [
        "The best lstm was still improving at the last epoch, so longer training may change the scores."
    ]
    gru["epoch"] = 19
    (said,) = caveats(searched)
    assert said.startswith("The best gru and lstm were still improving at the last epoch")
    for one in (gru, lstm):
        one |= {"epoch": 0, "epochs": 1}
    assert caveats(searched) == [], "one epoch has nothing to improve on"


def test_one_learning_rate() -> None:
    searched = found(
        trial("0000", "gru", 0.002, learning_rate=0.006, **SURE),
        trial("0001", "lstm", 0.004, learning_rate=0.006, **SURE),
        ranges={"learning_rate": "0.006"},
    )
    assert caveats(searched) == ["Only one learning rate was tried, 0.006."]


def test_one_learning_rate_for_a_cell() -> None:
    searched = two()
    del searched["trials"][3]
    assert caveats(searched) == ["Only one learning rate was tried for lstm (0.01)."]


@pytest.mark.parametrize(
    ("rate", "text", "edge"),
    [
        (0.01, "0.001:0.1", False),
        (0.00125, "0.001:0.1", True),  # 4.8 % of the two decades
        (0.0013, "0.001:0.1", False),  # 5.7 %
        (0.082, "0.001:0.1", True),  # 95.7 %
        (0.075, "0.001:0.1", False),  # 93.8 %
        (0.01, "0.003,0.01,0.03", False),
        (0.03, "0.003,0.01,0.03", True),
        (0.003, "0.003,0.01,0.03", True),
    ],
)
def test_the_best_learning_rate_of_a_cell_at_an_edge(rate: float, text: str, edge: bool) -> None:
    searched = two(ranges={"learning_rate": text})
    for one in searched["trials"][:2]:
        one["values"]["learning_rate"] = rate if one["values"]["cell"] == "lstm" else 0.0101
    said = [f"The best learning rate of lstm ({rate:g}) lies at the edge of its range."] if edge else []
    assert caveats(searched) == said


def test_the_best_learning_rates_of_two_cells_at_an_edge() -> None:
    said = caveats(two(ranges={"learning_rate": "0.01,0.02"}))
    assert said == ["The best learning rate of gru (0.01) and lstm (0.01) lies at the edge of its range."]


@pytest.mark.parametrize(
    ("values", "ranges", "said"),
    [
        ({"width": 128}, {"width": "16:128"}, ["The best width (128) lies at the edge of its range."]),
        ({"width": 96}, {"width": "16:100"}, ["The best width (96) lies at the edge of its range."]),
        ({"width": 112}, {"width": "16:128"}, []),
        ({"width": 16}, {"width": "16:128"}, ["The best width (16) lies at the edge of its range."]),
        ({"width": 64}, {"width": "64"}, []),
        ({"width": 64}, {"width": "64:64"}, []),
        ({"width": 64}, {"width": "32,64"}, ["The best width (64) lies at the edge of its range."]),
        ({"depth": 1}, {"depth": "1:3"}, []),
        ({"depth": 2}, {"depth": "2:3"}, ["The best depth (2) lies at the edge of its range."]),
        (
            {"depth": 3, "width": 128},
            {"depth": "1:3", "width": "64,128"},
            ["The best depth (3) and the best width (128) lie at the edges of their ranges."],
        ),
        ({"dropout": 0}, {"dropout": "0,0.2"}, []),
        ({"dropout": 0.2}, {"dropout": "0,0.2"}, ["The best dropout (0.2) lies at the edge of its range."]),
        ({"dropout": 0.2}, {"dropout": "0:0.5"}, []),
        ({"dropout": 0.49}, {"dropout": "0:0.5"}, ["The best dropout (0.49) lies at the edge of its range."]),
    ],
)
def test_the_best_model_at_an_edge(values: dict[str, Any], ranges: dict[str, str], said: list[str]) -> None:
    searched = two(ranges=ranges)
    searched["trials"][0]["values"] |= values
    assert caveats(searched) == said


def test_a_difference_within_the_spread_of_seeds() -> None:
    searched = two()
    searched["trials"][1]["spread"] = 0.003
    said = "The difference between gru and lstm, 0.002, is within the spread of seeds, 0.003."
    assert caveats(searched) == [said]


def test_no_spread_is_known() -> None:
    searched = two()
    for one in searched["trials"]:
        one["spread"] = None
    said = "No spread of seeds is known (one seed for each candidate)"
    assert caveats(searched) == [f"{said}, so the difference between cells may be chance."]
    assert caveats(found(*[one for one in searched["trials"] if one["values"]["cell"] == "gru"])) == [f"{said}."]


def test_a_cell_without_a_candidate_that_was_trained_to_the_end() -> None:
    searched = two(cells=["simple_rnn", "lstm", "gru"])
    assert caveats(searched) == ["No simple_rnn was trained to the end."]


def test_finals_say_what_chance_may_have_done() -> None:
    cannot = {"says": "cannot tell", "sentence": "These seeds cannot tell gru-32 and lstm-32 apart; about 12 would."}
    better = {"says": "better", "sentence": "gru-32 is better than lstm-32."}
    ended = finals("0000", finalist("0000", 0.002), finalist("0001", 0.003))
    for one in (searched := two())["trials"]:
        one["spread"] = None
    assert caveats(searched | {"finals": ended | {"comparisons": [cannot]}}) == [cannot["sentence"]]
    assert caveats(searched | {"finals": ended | {"comparisons": [better]}}) == []
    assert len(caveats(searched | {"finals": ended | {"comparisons": [better], "complete": False}})) == 1


def test_words_in_a_row() -> None:
    assert [listed(list(words)) for words in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]
