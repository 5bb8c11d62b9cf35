"""What MLflow's page of a trial says, for each way in which a trial ends."""

from typing import Any

import pytest
from support.desk import COMPLETED, FLOORS, Desk, built, end, epoch, failure, start

from tracking.candidates import Seen
from tracking.tags import NOTE
from tracking.trial_description import trial_description

VALUES = "cell gru, depth 1, width 32, learning rate 0.001, dropout 0"
WEAKEST = max(FLOORS, key=lambda name: FLOORS[name]).replace("_", " ")
SUMMARY = {"half_life_50": 23.04, "rate_50": -0.03}


def described(*events: dict[str, Any], verdict: str | None = None) -> list[str]:
    seen = Seen()
    for event in events:
        seen.take(event)
    return trial_description(seen, events[-1], "mse", verdict).split("\n\n")


def test_a_completed_trial() -> None:
    assert described(*COMPLETED, verdict="solved") == [
        "**gru-32** has MSE 0.2 on validation after 2 epochs: solved. 3,500 parameters, 2 s.",
        VALUES,
    ]


def test_a_pruned_trial() -> None:
    pruned = end(0.0, 1_001) | {"outcome": "pruned", "score": None, "reason": "worse than half of the others"}
    first = described(start(), built(), epoch(0, 0.31234, 1_000), pruned)[0]
    assert first == (
        "**gru-32**, pruned after 1 epoch, at MSE 0.3123: worse than half of the others. 3,500 parameters, 1 s."
    )


def test_a_trial_that_failed_at_once() -> None:
    said = described(start(learning_rate=0.00123456789), failure(10))
    assert said == [
        "**gru-32**, failed after 0 epochs: diverged in epoch 1: loss is nan.",
        "cell gru, depth 1, width 32, learning rate 0.0012346, dropout 0",
    ]


@pytest.mark.parametrize(
    ("gains", "bars", "lowest"),
    [
        ([0.0, -1.0, -2.0], "█▅▁", -2),  # the middle is half of the way down: 0.5 * 7 = 3.5, rounded to 4
        ([0.5, -0.1, -0.2], "██▇", -2),  # a gain that grows is all of it; little that is lost does not look like much
        ([0.0, -5.0, -30.0], "█▅▁", -10),
        ([0.0] * 60 + [-4.0] * 60, "█" * 12 + "▁" * 12, -4),
    ],
    ids=str,
)
def test_the_horizon_is_drawn(gains: list[float], bars: str, lowest: int) -> None:
    seen = {"summary": SUMMARY, "curve": {"lags": [*range(len(gains))], "log10_gain": gains}}
    text = described(start(), built(), end(0.2, 5) | {"horizon": {"lag": 3, "trained": seen}})[-1]
    assert text == f"- `{bars}` trained, half-life 23 steps"
    heading = described(start(), built(), end(0.2, 5) | {"horizon": {"lag": 3, "trained": seen}})[-2]
    last = len(gains) - 1
    assert heading == f"Gradient that is left 0 to {last} steps back. █ is all of it, ▁ is 10^{lowest} of it or less:"


def test_it_stands_in_mlflow_and_spares_the_users(desk: Desk) -> None:
    desk.write("0000", *COMPLETED)
    desk.write("0001", *COMPLETED[:3])
    for run in desk.sync():
        if run.data.tags["recurrent.trial"] == "0001":
            desk.client.set_tag(run.info.run_id, NOTE, "mine")
    desk.write("0001", *COMPLETED[3:])
    texts = [run.data.tags[NOTE].split("\n")[0] for run in desk.sync()]
    assert texts == [
        f"**gru-32** has MSE 0.2 on validation after 2 epochs: no better than {WEAKEST}. 3,500 parameters, 2 s.",
        "mine",
    ]
