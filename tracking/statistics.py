"""How sure a result is: intervals of a mean, paired differences, and how many seeds would tell two candidates apart.

The formulas are those of the t distribution: Student 1908 for the interval, Holm 1979 for several comparisons, and the
noncentral t distribution for the power of a paired test. `python -m experiments.benchmarks.coverage` simulates how
often they are right.

SciPy is imported inside the functions, so that a command without statistics does not wait for it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.05  # how often "better" may be said of equals
POWER = 0.8  # how often as many seeds as are needed find a difference of the size that was seen
MOST_SEEDS = 1_000  # beyond it the number of seeds that are needed is not said
# How often the 95 % interval has the true mean where scores are not nearly normal, by seeds: of log-normal ones, and of
# a mix in which four seeds of five solve the task. Simulated by experiments/benchmarks/coverage.py. Five seeds do not
# show which kind of scores they are, so that the warning stands below every table.
COVERAGE = {5: (0.82, 0.66), 10: (0.84, 0.89)}


@dataclass(frozen=True)
class Estimate:
    """A mean of seeds.

    Args:
        sd: the standard deviation of the seeds; None for a single seed.
        low, high: the 95 % interval of the mean; None for a single seed.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None


def estimate(values: Sequence[float], level: float = LEVEL) -> Estimate:
    """The mean of at least one value with its t interval, which misses the true mean in a share `level` of cases.

    Worked example. The values 1, 2 and 3 have the mean 2, the standard deviation 1 and the standard error 0.577. The t
    distribution with 2 degrees of freedom has 2.5 % above 4.303. The interval is 2 ± 2.484.
    """
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Estimate(mean, None, None, None)
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    reach = _t(1 - level / 2, len(values) - 1) * sd / math.sqrt(len(values))
    return Estimate(mean, sd, mean - reach, mean + reach)


def _t(share: float, freedom: int) -> float:
    """The value below which a t distribution has this share."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


def p_value(differences: Sequence[float]) -> float:
    """How likely such differences, or larger ones, are between equals: the two-sided paired t test.

    Differences that are all the same have no spread, and the t test has no scale. Their value is that of the sign test:
    2^(1 - n) for n differences that are not zero. A single difference has the value 1.
    """
    from scipy.special import stdtr

    found = estimate(differences)
    if found.sd is None or not found.mean:
        return 1.0
    # Rounding gives equal differences a spread of a few units in the last place.
    if found.sd <= 1e-12 * abs(found.mean):
        return min(1.0, 2.0 ** (1 - len(differences)))
    score = abs(found.mean) / (found.sd / math.sqrt(len(differences)))
    return float(2 * stdtr(len(differences) - 1, -score))


@dataclass(frozen=True)
class Comparison:
    """One candidate against another one, from their paired differences.

    Args:
        difference: the mean; above zero the first one is better.
        low, high: its interval, at the level at which Holm's procedure judges it. It leaves out zero if and only if the
            difference is certain. None for a single seed.
        p: corrected by Holm.
        needed: about how many seeds would tell them apart; None if they are told apart, or if no sensible number would.
    """

    difference: float
    low: float | None
    high: float | None
    p: float
    needed: int | None

    @property
    def says(self) -> str:
        """better, worse or cannot tell."""
        if self.p >= LEVEL:
            return "cannot tell"
        return "better" if self.difference > 0 else "worse"


def compare(several: Sequence[Sequence[float]], tests: int) -> list[Comparison]:
    """Each list of paired differences as a comparison, with Holm's correction for `tests` tests.

    Args:
        tests: at least the number of lists. Whoever compares the winner of k candidates with each other one has chosen
            the winner by its scores, and so has looked at all k (k - 1) / 2 pairs. With a correction for the k - 1
            comparisons alone "better" would be said of six equals in 9 % of cases.
    """
    raw = [p_value(differences) for differences in several]
    order = sorted(range(len(raw)), key=raw.__getitem__)
    found: list[Comparison | None] = [None] * len(raw)
    corrected, level, certain = 0.0, LEVEL, True
    for place, index in enumerate(order):
        level = LEVEL / (tests - place) if certain else level  # from the first one on that is not certain it stays
        corrected = min(1.0, max(corrected, raw[index] * (tests - place)))
        certain = corrected < LEVEL
        found[index] = _comparison(several[index], corrected, level)
    return [one for one in found if one is not None]


def _comparison(differences: Sequence[float], p: float, level: float) -> Comparison:
    found = estimate(differences, level)
    needed = None
    if p >= LEVEL and found.sd:
        needed = seeds_needed(found.mean, found.sd, level, len(differences))
    return Comparison(found.mean, found.low, found.high, p, needed)


def seeds_needed(difference: float, sd: float, level: float = LEVEL, at_least: int = 2) -> int | None:
    """How many pairs a two-sided paired t test needs to find a difference of this size with a power of 80 %.

    Args:
        sd: of the paired differences.
        at_least: the answer is more than this number.

    Returns None if it is more than MOST_SEEDS.

    Worked example. A difference of half a standard deviation needs 34 pairs, as in the tables of Cohen 1988.
    """
    if not difference or not sd:
        return None
    low, high = at_least + 1, MOST_SEEDS
    if low > high or power(difference, sd, high, level) < POWER:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power(difference, sd, middle, level) >= POWER else (middle + 1, high)
    return low


def power(difference: float, sd: float, pairs: int, level: float = LEVEL) -> float:
    """How often a two-sided paired t test with so many pairs finds a difference of this size."""
    from scipy.special import nctdtr

    shift, bound = abs(difference) / sd * math.sqrt(pairs), _t(1 - level / 2, pairs - 1)
    # SciPy says that a share is not a number where it is smaller than about 1e-20.
    low, high = (float(nctdtr(pairs - 1, shift, where)) for where in (-bound, bound))
    return 1.0 - (0.0 if math.isnan(high) else high) + (0.0 if math.isnan(low) else low)


def warning(seeds: int) -> str:
    """How far the intervals of so many seeds can be trusted."""
    known = max((count for count in COVERAGE if count <= seeds), default=min(COVERAGE))
    skewed, mixed = COVERAGE[known]
    return (
        f"the 95 % intervals hold for nearly normal scores; simulated with {known} seeds, they hold {skewed:.0%} of the"
        f" time for log-normal scores and {mixed:.0%} where four seeds of five solve the task"
    )
