"""Which execution stands for its trial. The trial's score is the mean, its model that of the execution in the middle.

Worked example. The scores are 0.3, 0.1 and 0.2; small is better. Best first the executions are 1, 2, 0, so the model
is that of execution 2. Of two executions it is that of the worse one: nobody gets a better model than the score says.
"""


def best_first(scores: list[float], direction: str) -> list[int]:
    """The executions, the best one first; of equal ones the earlier one."""
    return sorted(range(len(scores)), key=scores.__getitem__, reverse=direction == "max")


def middle(scores: list[float], direction: str) -> int:
    """The execution in the middle, best first; of an even number the worse one of the two in the middle."""
    return best_first(scores, direction)[len(scores) // 2]


def reason(scores: list[float], direction: str, kept: int) -> str:
    """Why the execution `kept` stands for its trial, for people."""
    if len(scores) < 2:
        return "the only execution"
    rank = f"rank {1 + best_first(scores, direction).index(kept)} of {len(scores)}, best first"
    if kept != middle(scores, direction):
        return f"{rank}, as an earlier version chose"
    return f"{rank}: the middle one" + ("" if len(scores) % 2 else ", of two the worse")
