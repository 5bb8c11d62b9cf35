"""Says in a few words how a user's arrays were read, so that a wrong reading is seen before anything trains."""

import numpy as np

SHOWN_CLASSES = 10


def describe_x(count: int, shorter: bool, features: int | None, tokens: int) -> str:
    """What x is.

    Args:
        count: steps of the longest sequence.
        shorter: a sequence may have fewer steps.
        features: None for tokens.
        tokens: different ones.
    """
    what = f"{tokens:,} different tokens" if features is None else f"{features} feature{_plural(features)}"
    return f"{'up to ' if shorter else ''}{count} step{_plural(count)} of {what}"


def classes(names: list[str], counts: np.ndarray, one_hot: bool, per_step: bool) -> str:
    """What y is: how many classes, and the share of each."""
    shares = [f"{name}: {share:.0%}" for name, share in zip(names, counts / counts.sum(), strict=True)]
    more = ["…"] if len(shares) > SHOWN_CLASSES else []
    how = f"{', one-hot' if one_hot else ''}{_where(per_step)}"
    return f"{len(names)} classes{how} ({', '.join(shares[:SHOWN_CLASSES] + more)})"


def numbers(count: int, count_of_steps: int, per_step: bool) -> str:
    """What y is. Where it has as many numbers as there are steps, it says how they become one at each step."""
    may_be_steps = not per_step and 1 < count == count_of_steps
    hint = f" for each sequence; y[..., None] would be a number at each of the {count} steps" if may_be_steps else ""
    return f"{count} number{_plural(count)}{_where(per_step)}{hint}"


def share_missing(share: float) -> str:
    """How many of the numbers are not asked; "" if all are."""
    return f", {share:.0%} missing" if share else ""


def missing(split: str, tokens: int, answers: int) -> str:
    """How many tokens and answers of a later split are not in the training split."""
    parts = [f"{tokens:,} tokens of {split}"] * (tokens > 0)
    return ", ".join([*parts, *[f"{answers:,} answers of {split} (scored as wrong)"] * (answers > 0)])


def repeated(x: dict[str, np.ndarray]) -> str:
    """How many sequences of the later splits the first one has, too. A model that knows them by heart seems to be good.

    Args:
        x: of each split, by its name.
    """
    (_, train), *others = x.items()
    known = {hash(row.tobytes()) for row in train}
    counts = {name: sum(hash(row.tobytes()) in known for row in rows) for name, rows in others}
    return ", ".join(f"{count:,} x of {name}" for name, count in counts.items() if count)


def _where(per_step: bool) -> str:
    return " at every step" if per_step else ""


def _plural(count: int) -> str:
    return "" if count == 1 else "s"
