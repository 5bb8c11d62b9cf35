"""The description of a search in a real store."""

from support.desk import Desk
from support.found import found, trial

from tracking.answer import answer
from tracking.description import NOTE, describe, description

ONE = found(
    trial("0000", "gru", 0.0005, spread=0.0001, parameters=38_081, verdict="solved"),
    trial("0001", "lstm", 0.1, learning_rate=0.02, verdict="learning, above no memory"),
    trial("0002", "lstm", 0.12),
)


def test_the_text() -> None:
    assert description(ONE).split("\n") == [
        *"\n\n".join(answer(ONE)).split("\n"),
        "",
        "| cell | best | MSE | verdict | learning rate | parameters | trial |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| gru | gru-32 | 0.0005 ± 0.0001 | solved | 0.01 | 38,081 | 0000 |",
        "| lstm | lstm-32 | 0.1 | learning, above no memory | 0.02 | 1,000 | 0001 |",
    ]


def test_a_search_without_a_score_has_no_table() -> None:
    text = description(found(trial("0000", "gru", None)))
    assert text == "There is no answer yet: no candidate has completed (1 failed of 1)."


def test_it_is_written_again_until_the_user_writes_something_else(desk: Desk) -> None:
    assert describe(desk.client, desk.parent, ONE)
    assert desk.refreshed().data.tags[NOTE].startswith("Best is gru-32")
    assert describe(desk.client, desk.refreshed(), found(trial("0000", "lstm", 0.1)))
    assert desk.refreshed().data.tags[NOTE].startswith("Best is lstm-32")
    desk.client.set_tag(desk.parent.info.run_id, NOTE, "mine")
    assert not describe(desk.client, desk.refreshed(), ONE)
    assert desk.refreshed().data.tags[NOTE] == "mine"
