"""Which execution stands for its trial. The trial's score is the mean of the scores of its executions.

The executions are sorted, best first. The model is that of the middle one. Of an even number it is the worse of the two
in the middle, so that nobody gets a better model than the score says.

Worked example. The scores are 0.3, 0.1 and 0.2; small is better. Sorted, the executions are 1, 2, 0. The model is that
of execution 2.
"""


def best_first(scores: list[float], direction: str) -> list[int]:
    """The executions, the best one first; of equal ones the earlier one."""
    return sorted(range(len(scores)), key=scores.__getitem__, reverse=direction == "max")


def middle(scores: list[float], direction: str) -> int:
    """The middle one of the sorted executions; of an even number the worse of the two in the middle."""
    return best_first(scores, direction)[len(scores) // 2]


def reason(scores: list[float], direction: str, kept: int) -> str:
    """Why the execution `kept` stands for its trial, for people."""
    if len(scores) < 2:
        return "the only execution"
    rank = f"rank {1 + best_first(scores, direction).index(kept)} of {len(scores)}, best first"
    if kept != middle(scores, direction):
        return f"{rank}, as an earlier version chose"
    return f"{rank}: the {'middle one' if len(scores) % 2 else 'worse of the two in the middle'}"
