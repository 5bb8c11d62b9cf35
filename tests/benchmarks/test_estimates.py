"""How a terminal's durations are read, and what is compared."""

import pytest

from experiments.benchmarks.estimates import at_quarter, seconds
from tracking.text import format_duration


@pytest.mark.parametrize("count", [0, 45, 60, 200, 3600, 7500])
def test_a_duration_is_read(count: int) -> None:
    assert seconds(format_duration(count)) == count


def test_a_quarter() -> None:
    shown = [(5.0, 200.0), (24.0, 90.0), (26.0, 10.0)]
    assert at_quarter(shown, 100.0) == pytest.approx(1.14)
    assert at_quarter(shown, 8.0) == pytest.approx(205 / 8), "nothing was shown before"
