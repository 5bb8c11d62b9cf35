"""The answer in three sentences: searches written by hand."""

from typing import Any

from support.found import finalist, finals, found, trial

from tracking.answer import answer

SPLIT = "all scores are of the validation split, by which the best was chosen"


def searched(**more: Any) -> dict[str, Any]:
    """A search of the adding problem over three cells."""
    return found(
        trial("0000", "gru", 0.0001331, depth=2, width=64, learning_rate=0.003635, parameters=38_081, spread=0.00001),
        trial("0001", "gru", 0.0002271, depth=2, learning_rate=0.002078, parameters=9_825, spread=0.00001),
        trial("0002", "lstm", 0.02375, width=64, learning_rate=0.02, parameters=17_000, spread=0.001),
        trial("0003", "simple_rnn", 0.1651, width=16, learning_rate=0.01, parameters=300, spread=0.001),
        trial("0004", "lstm", 0.1, learning_rate=0.01, spread=0.001),
        trial("0005", "simple_rnn", 0.17, learning_rate=0.02, spread=0.001),
        **more,
    )


def test_the_best_of_three_cells() -> None:
    assert answer(searched()) == [
        "Best is gru-64x2 (gru, depth 2, width 64): MSE 0.0001331 ± 1e-05 over 3 seeds, solved (0.001 or better),"
        " at learning rate 0.003635; best of the other cells: lstm-64 (0.02375 at learning rate 0.02) and"
        " simple_rnn-16 (0.1651 at learning rate 0.01).",
        "gru-32x2 has 26 % of the parameters (9,825 instead of 38,081) and costs 9.4e-05 MSE"
        " (0.0002271 at learning rate 0.002078).",
        f"This leaves open: the best depth (2) lies at the edge of its range; {SPLIT}.",
    ]


def test_more_is_better() -> None:
    accuracy = {"metric": "accuracy", "direction": "max", "floors": {"no_memory": 0.125}, "solved": 0.99}
    found_ = found(trial("0000", "gru", 0.9, parameters=1_000), trial("0001", "lstm", 0.7, parameters=400), **accuracy)
    assert answer(found_)[:2] == [
        "Best is gru-32 (gru, depth 1, width 32): accuracy 0.9, learning, above no memory (0.125), at learning rate"
        " 0.01; best of the other cells: lstm-32 (0.7 at learning rate 0.01).",
        "lstm-32 has 40 % of the parameters (400 instead of 1,000) and costs 0.2 accuracy (0.7 at learning rate 0.01).",
    ]


def test_a_pruned_candidate_may_be_the_cheaper_one() -> None:
    """A useless LSTM was offered in place of a GRU that had been pruned one epoch before the end."""
    pruned = trial("0002", "gru", None, width=16, reached=0.0003, outcome="pruned", parameters=977, epochs=9)
    found_ = found(
        trial("0000", "gru", 0.0001, parameters=4_241), trial("0001", "lstm", 0.17, parameters=2_000), pruned
    )
    assert answer(found_)[1] == (
        "gru-16 has 23 % of the parameters (977 instead of 4,241) and costs 0.0002 MSE"
        " (0.0003 at learning rate 0.01, pruned after 9 epochs)."
    )
    pruned["epochs"] = None
    assert answer(found_)[1].endswith("(0.0003 at learning rate 0.01, pruned).")
    pruned |= {"reached": 0.00005, "epochs": 1}
    assert answer(found_)[1].endswith("and is better so far (5e-05 at learning rate 0.01, pruned after 1 epoch).")
    found_["trials"].append(trial("0003", "gru", 0.0005, width=16, parameters=977, continues="0002"))
    assert "costs 0.0004 MSE (0.0005 at" in answer(found_)[1], "it was trained to the end"
    found_["trials"].pop()
    pruned["reached"] = float("nan")
    assert answer(found_)[1].startswith("lstm-32 has 47 % of the parameters")


def test_nothing_was_learnt() -> None:
    found_ = found(trial("0000", "gru", 0.1651), trial("0001", "lstm", 0.17))
    first, second = answer(found_)
    assert first == (
        "No candidate is clearly better than no memory (0.1667): the best, gru-32, has MSE 0.1651, at"
        " learning rate 0.01."
    )
    assert second.startswith("This leaves open: no spread of seeds is known")


def test_one_trial() -> None:
    assert answer(found(trial("0000", "gru", 0.01))) == [
        "Best is gru-32 (gru, depth 1, width 32): MSE 0.01, learning, above half memory (0.08333), at learning rate"
        " 0.01.",
        "No smaller candidate has completed.",
        "This leaves open: no other candidate has completed; no spread of seeds is known (one seed for each candidate);"
        f" only one learning rate was tried, 0.01; {SPLIT}.",
    ]


def test_no_completed_trial() -> None:
    pruned = [trial(f"000{number}", "gru", None, outcome="pruned") for number in range(2)]
    said = "There is no answer yet: no candidate has completed"
    assert answer(found(*pruned, trial("0002", "lstm", None))) == [f"{said} (2 pruned and 1 failed of 3)."]
    assert answer(found(trial("0000", "gru", None))) == [f"{said} (1 failed of 1)."]
    assert answer(found(trial("0000", "gru", None, outcome=None))) == [f"{said} (1 still running of 1)."]
    assert answer(found()) == ["There is no answer yet: no candidate has begun."]


def test_ties() -> None:
    solved = [trial(f"000{number}", "gru", 0.0, width=16 + number, parameters=100 + number) for number in range(3)]
    first, second, _ = answer(found(*solved, trial("0003", "lstm", 0.5)))
    assert first.startswith("Best is gru-16 (gru, depth 1, width 16), the smallest of 3 that are equally good: MSE 0,")
    assert second == "No smaller candidate has completed."


def test_a_search_that_has_not_ended() -> None:
    running = searched(status="RUNNING")
    assert answer(running)[2].startswith("This leaves open: the search is still running; ")
    stopped = searched(status="KILLED")
    assert answer(stopped)[2].startswith("This leaves open: the search was stopped before its end; ")


def test_a_search_without_floors_and_of_an_earlier_version() -> None:
    old = searched(floors={}, solved=None)
    del old["finals"]
    old["ranges"] = {}
    assert ": MSE 0.0001331 ± 1e-05 over 3 seeds, at learning rate" in answer(old)[0]
    assert answer(old)[2] == f"This leaves open: {SPLIT}."


def test_layers_that_differ_are_named_by_the_architecture_alone() -> None:
    one = trial("0000", "lstm+gru", 0.01, architecture="lstm-32+gru-16", depth=2)
    assert answer(found(one))[0].startswith("Best is lstm-32+gru-16: MSE 0.01,")


def test_of_many_combinations_of_cells_few_are_named() -> None:
    names = [f"gru+lstm{number}" for number in range(6)]
    trials = [trial(f"000{number}", name, 0.01 + number / 1000, spread=0.1) for number, name in enumerate(names)]
    first, _, third = answer(found(*trials, trial("0009", "gru", 0.02, spread=0.1)))
    assert [name for name in names if name in first] == names[:4]
    assert "the difference between gru+lstm0 and gru, 0.01, is within the spread of seeds, 0.1" in third
    assert "lstm1" not in third


def test_values_that_were_varied_are_said() -> None:
    first = trial("0000", "gru", 0.01, optimizer="rmsprop", clip=1)
    other = trial("0001", "gru", 0.02, optimizer="adam", clip=1)
    assert ", at learning rate 0.01, optimizer rmsprop." in answer(found(first, other))[0]


def test_finals() -> None:
    ended = finals(
        "0001",
        finalist("0001", 0.0002, 0.0003, 0.0004, solved=1.0),
        finalist("0002", 0.02, 0.03, 0.04, solved=0.0),
        comparisons=[{"says": "better", "sentence": "gru-32x2 is better than lstm-64."}],
    )
    assert answer(searched(finals=ended)) == [
        "Best in the finals is gru-32x2 (gru, depth 2, width 32): test MSE 0.0003, 95 % interval 0.0002 to 0.0004 over"
        " 3 fresh seeds, solved (0.001 or better) by 3 of 3, at learning rate 0.002078; best of the other cells:"
        " lstm-64 (test 0.03 at learning rate 0.02) and simple_rnn-16 (0.1651 at learning rate 0.01).",
        "lstm-32 has 10 % of the parameters (1,000 instead of 9,825) and costs 0.1 MSE of the search"
        " (0.1 at learning rate 0.01).",
        "This leaves open: the best depth (2) lies at the edge of its range.",
    ]
    assert answer(searched(finals=ended | {"complete": False})) == answer(searched())


def test_finals_of_one_seed_have_no_interval() -> None:
    ended = finals("0000", finalist("0000", 0.0002, low=None, high=None))
    assert ": test MSE 0.0002 over 1 fresh seed, solved (0.001 or better), at" in answer(searched(finals=ended))[0]
    failing = finals("0000", finalist("0000", 0.0002, 0.0004, failed=2, solved=0.5))
    said = "over 2 fresh seeds (2 more failed), solved (0.001 or better) by 2 of 4, at"
    assert said in answer(searched(finals=failing))[0]
    lost = finals("0000", finalist("0000", 0.0002, mean=None))
    assert ": MSE 0.0001331 ± 1e-05 over 3 seeds, solved" in answer(searched(finals=lost))[0]


def test_nothing_is_left_open() -> None:
    inside = searched(ranges={"learning_rate": "0.001:0.1", "depth": "1:3", "width": "16:128"})
    ended = finals("0000", finalist("0000", 0.0002, 0.0003))
    assert answer(inside | {"finals": ended})[2] == "This holds for these ranges and this budget of training."
