"""Operations counted by hand."""

import pytest

from search_spaces.cost import flops, training_flops
from search_spaces.recurrent import RecurrentSpace

STEPS = 50


@pytest.mark.parametrize(
    ("cell", "by_hand"),
    [
        ("simple_rnn", 2 * (2 * 32 + 32 * 32)),  # 2,176
        ("lstm", 2 * 4 * (2 * 32 + 32 * 32)),  # 8,704
        ("gru", 2 * 3 * (2 * 32 + 32 * 32)),  # 6,528
    ],
)
def test_a_layer_on_features(cell: str, by_hand: int) -> None:
    space = RecurrentSpace(1, "mse", features=2)
    model = space.stack([(cell, 32)], 0.0)
    assert flops(model, STEPS, False) == by_hand + 64 / STEPS  # the head 32 x 1, once in a sequence
    assert flops(model, STEPS, True) == by_hand + 64
    assert training_flops(model, STEPS, False, 8) == pytest.approx(3 * 8 * (STEPS * by_hand + 64))


def test_two_layers_on_tokens() -> None:
    model = RecurrentSpace(9, "categorical", tokens=9, per_step=True).stack([("lstm", 4), ("gru", 6)], 0.5)
    lookup, lstm, gru, head = 0, 2 * 4 * 4 * (9 + 4), 2 * 3 * 6 * (4 + 6), 2 * 6 * 9
    assert flops(model, STEPS, True) == lookup + lstm + gru + head == 884
