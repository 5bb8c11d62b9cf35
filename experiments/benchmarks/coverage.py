"""How often the finals are right about how sure they are: simulated scores, judged by the statistics of the results.

    python -m experiments.benchmarks.coverage                        10,000 repetitions; a minute

The scores of a seed are normal, log-normal, or a mix: four seeds of five solve the task. The table has, by the number
of seeds:

coverage    how often the 95 % interval has the true mean
2 equals    how often "better" or "worse" is said of two candidates whose scores come from the same distribution
3 equals    how often it is said of any pair with the winner, where three candidates are equal
6 equals    the same for six candidates, the best two of three cells
power       how often two normal candidates are told apart with as many seeds as the results say are needed

The winner is the candidate with the best mean of the same scores. Real finals choose it on validation and report the
test, so that this is the worst case.
"""

from collections.abc import Callable

import numpy as np

from experiments.benchmarks.rounds import make_parser, print_head, print_row
from tracking.statistics import Comparison, compare, estimate, seeds_needed

SOLVED = 0.8  # the share of seeds that solve the task, in the mix
EASY, HARD = 1e-3, 1e-1  # their scores, and those of the others
SEEDS, CANDIDATES = (5, 10), (2, 3, 6)
EFFECT = 1.0  # of the power: the difference of the means, in standard deviations of a difference
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=shape)


def log_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.lognormal(size=shape)


def mix(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    solved = rng.random(shape) < SOLVED
    return np.where(solved, EASY * rng.lognormal(size=shape), HARD * (1 + 0.1 * rng.normal(size=shape)))


DRAWN: dict[str, tuple[Draw, float]] = {  # with the true mean
    "normal": (normal, 0.0),
    "log-normal": (log_normal, float(np.exp(0.5))),
    "mix": (mix, SOLVED * EASY * float(np.exp(0.5)) + (1 - SOLVED) * HARD),
}


def coverage(kind: str, seeds: int, repetitions: int) -> float:
    """How often the interval of so many seeds has the true mean."""
    draw, mean = DRAWN[kind]
    found = [estimate(values) for values in draw(np.random.default_rng(seeds), (repetitions, seeds)).tolist()]
    return sum(one.low <= mean <= one.high for one in found if one.low is not None and one.high is not None) / len(
        found
    )


def wrongly_told_apart(kind: str, seeds: int, candidates: int, repetitions: int) -> float:
    """How often the winner of so many equal candidates is called better or worse than any other one."""
    draw, _ = DRAWN[kind]
    found = draw(np.random.default_rng((seeds, candidates)), (repetitions, candidates, seeds))
    return sum(any(one.says != "cannot tell" for one in judged(scores)) for scores in found) / repetitions


def judged(scores: np.ndarray) -> list[Comparison]:
    """The comparisons of the candidate with the lowest mean; scores are `(candidates, seeds)`."""
    winner, count = int(scores.mean(axis=1).argmin()), len(scores)
    others = [(scores[other] - scores[winner]).tolist() for other in range(count) if other != winner]
    return compare(others, count * (count - 1) // 2)


def powerful(repetitions: int) -> tuple[int, float]:
    """(the number of seeds that are needed for a difference of EFFECT, how often they find it)."""
    seeds = seeds_needed(EFFECT, 1.0) or 0
    drawn = np.random.default_rng(0).normal(EFFECT, 1.0, (repetitions, seeds)).tolist()
    return seeds, sum(compare([differences], 1)[0].says == "better" for differences in drawn) / repetitions


def report(repetitions: int) -> None:
    print(f"{repetitions:,} repetitions\n")
    print_head("scores", "seeds", "coverage", *(f"{count} equals" for count in CANDIDATES))
    for kind in DRAWN:
        for seeds in SEEDS:
            shares = [coverage(kind, seeds, repetitions)]
            shares += [wrongly_told_apart(kind, seeds, count, repetitions) for count in CANDIDATES]
            print_row(kind, str(seeds), *(f"{100 * share:.1f} %" for share in shares))
    seeds, found = powerful(repetitions)
    print(f"\npower: {seeds} seeds find a difference of one standard deviation in {100 * found:.1f} % (promised: 80)")


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--repetitions", type=int, default=10_000, help="of each simulation (default: 10000)")
    report(parser.parse_args().repetitions)


if __name__ == "__main__":
    main()
