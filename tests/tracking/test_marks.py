"""Floors, the score that counts as solved, and verdicts in a real store; journals are written by hand."""

from mlflow import MlflowClient
from support.desk import FLOORS, START, Desk, built, end, epoch, executed, failure, start

from tracking.marks import marks, marks_in
from tracking.results import results
from tracking.searches import describe_search, spec_of


def verdict_of(run: object) -> str | None:
    return run.data.tags.get("recurrent.verdict")  # type: ignore[attr-defined,no-any-return]


def ended(score: float, at: int) -> list[dict]:  # type: ignore[type-arg]
    return [start(at), built(at), epoch(0, score, at + 100), executed(score, at + 101), end(score, at + 102)]


def test_the_floors_are_lines_from_the_first_to_the_last_epoch(desk: Desk) -> None:
    epochs = [epoch(number, 0.2, 1_000 + number) for number in range(4)]
    desk.write("0000", start(), built(), *epochs, executed(0.2, 2_000), end(0.2, 2_001))
    for _ in range(2):
        (run,) = desk.sync()
        for name, value in FLOORS.items():
            assert desk.curve(run, f"floor/{name}") == [(0, 0, value), (2_001, 3, value)]
            assert run.data.metrics[f"floor/{name}"] == value


def test_one_epoch_has_one_point(desk: Desk) -> None:
    desk.write("0000", *ended(0.2, 0))
    (run,) = desk.sync()
    assert desk.curve(run, "floor/no_memory") == [(0, 0, 1 / 6)]


def test_the_lines_span_the_longest_execution(desk: Desk) -> None:
    desk.write("0000", start(), built(), *[epoch(number, 0.2, 1_000 + number) for number in range(3)])
    desk.sync()
    desk.write("0000", executed(0.2, 1_100), epoch(0, 0.2, 1_200, execution=1), end(0.2, 1_300))
    (run,) = desk.sync()
    assert desk.curve(run, "floor/no_memory")[-1] == (1_300, 2, 1 / 6)


def test_verdicts_of_trials_and_of_the_best_score(desk: Desk) -> None:
    desk.solved = 0.001
    said = []
    for number, score in enumerate((0.165, 0.1, 0.12, 0.0005)):
        desk.write(f"000{number}", *ended(score, 1_000 * number))
        said.append((verdict_of(desk.sync(over=True)[-1]), verdict_of(desk.refreshed())))
    assert said == [
        ("no better than no memory",) * 2,
        ("learning, above no memory",) * 2,
        ("learning, above no memory",) * 2,
        ("solved",) * 2,
    ]


def test_a_failed_trial_has_no_verdict(desk: Desk) -> None:
    desk.write("0000", start(), failure(50))
    (run,) = desk.sync()
    assert verdict_of(run) is None and verdict_of(desk.refreshed()) is None


def test_the_score_that_counts_as_solved_is_recorded(desk: Desk) -> None:
    spec = {**spec_of(desk.parent), "versions": {}}
    assert results(desk.client, desk.parent)["solved"] is None, "a search of an early version"
    for _ in range(2):
        desk.parent = describe_search(desk.client, desk.parent, spec, FLOORS, 0.001)
        assert desk.parent.data.metrics["solved/mse"] == 0.001
        found = results(desk.client, desk.parent)
        assert (found["solved"], found["floors"]) == (0.001, FLOORS)
        assert desk.curve(desk.parent, "solved/mse") == [(desk.parent.info.start_time - START, 0, 0.001)]
    assert marks_in(desk.parent, "mse") == {"floors": FLOORS, "solved": 0.001}
    assert marks_in(desk.parent, "accuracy")["solved"] is None


def test_results_judge_by_what_is_recorded(client: MlflowClient, desk: Desk) -> None:
    desk.write("0000", *ended(0.0005, 0))
    desk.sync()
    (trial,) = results(client, desk.refreshed())["trials"]
    assert trial["verdict"] == "learning, above no memory", "nothing says what counts as solved"
    describe_search(client, desk.parent, {**spec_of(desk.parent), "versions": {}}, FLOORS, 0.001)
    (trial,) = results(client, desk.refreshed())["trials"]
    assert trial["verdict"] == "solved"


def test_a_task_without_floors_has_no_marks() -> None:
    assert marks({}, None, "mse") == {}
    assert marks({"a": 1.0}, 0.5, "mse") == {"floor/a": 1.0, "solved/mse": 0.5}
