"""One formatter for each kind of number."""

import pytest

from tracking.text import format_amount, format_count, format_memory, format_range, format_spread


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (64, "64"), (999.6, "1k"), (8_768, "8.77k"), (2.6e6, "2.6M"), (0.0123, "0.0123")]
)
def test_amounts(value: float | None, text: str) -> None:
    assert format_amount(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, ""), (0.01234, "0.012"), (1.5, "1.5")])
def test_spreads(value: float | None, text: str) -> None:
    assert format_spread(value) == text


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (999, "999"), (1_812_345, "1,812,345")])
def test_counts(value: int | None, text: str) -> None:
    assert format_count(value) == text


@pytest.mark.parametrize(("size", "text"), [(0.5, "0.5"), (23.54, "23.5"), (73, "73"), (1234, "1,234")])
def test_memory_is_in_gibibytes(size: float, text: str) -> None:
    assert format_memory(size * 2**30) == f"{text} GiB"


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(0.1, 0.5, "1 to 2 s"), (15, 39, "15 to 39 s"), (429, 1097, "7 to 18 min"), (3600, 7300, "1 to 2 h")],
)
def test_a_range_has_one_unit(low: float, high: float, shown: str) -> None:
    assert format_range(low, high) == shown
