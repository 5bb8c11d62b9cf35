"""Which pruned trials are continued: the best one of each cell that has no completed trial."""

from pathlib import Path

from experiments.config.folders import SearchFolder
from experiments.strategy.continuations import Past, best_pruned, clear, due

CELLS = ("gru", "lstm", "simple_rnn")


def trial(number: int, cell: str, outcome: str, loss: float = 1.0, continues: bool = False) -> Past:
    return Past(number, cell, outcome, loss, continues)


def numbers(trials: list[Past]) -> list[int]:
    return [one.number for one in due(trials, CELLS)]


def test_the_best_pruned_trial_of_each_cell_without_a_completed_one() -> None:
    trials = [
        trial(0, "lstm", "pruned", 0.5),
        trial(1, "gru", "completed"),
        trial(2, "gru", "pruned", 0.1),
        trial(3, "lstm", "pruned", 0.2),
        trial(4, "lstm", "pruned", 0.2),
        trial(5, "simple_rnn", "failed"),
        trial(6, "lstm", "failed", 0.0),
    ]
    assert numbers(trials) == [3], "of equal ones the first, and nothing of a cell whose trials have failed"
    assert numbers([*trials, trial(7, "simple_rnn", "pruned", float("inf"))]) == [3, 7]


def test_a_cell_is_waited_for_and_continued_once() -> None:
    trials = [trial(0, "lstm", "pruned"), trial(1, "lstm", "running")]
    assert numbers(trials) == []
    assert list(best_pruned(trials, CELLS)) == ["lstm"]
    for outcome in ("running", "completed", "failed"):
        assert numbers([trials[0], trial(1, "lstm", outcome, continues=True)]) == []


def test_candidates_of_several_cells_are_not_continued() -> None:
    assert numbers([trial(0, "", "pruned"), trial(1, "lstm+gru", "pruned")]) == []


def test_only_what_may_be_continued_keeps_its_checkpoint(tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path)
    trials = [trial(0, "lstm", "pruned", 0.5), trial(1, "lstm", "pruned", 0.2), trial(2, "gru", "running")]
    for one in trials:
        folder.trial(one.number).path.mkdir(parents=True)
        folder.trial(one.number).checkpoint.touch()

    def kept() -> list[int]:
        return [one.number for one in trials if folder.trial(one.number).checkpoint.exists()]

    clear(folder, trials, CELLS)
    assert kept() == [1, 2]
    clear(folder, [*trials, trial(3, "lstm", "completed")], CELLS)
    assert kept() == [2]
