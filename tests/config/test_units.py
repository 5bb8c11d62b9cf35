"""Durations, sizes and numbers as typed."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from experiments.config.units import parse_duration, parse_name, parse_number, parse_size
from tracking.errors import BadInput


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("45m", 2700), ("1h30m", 5400), ("1.5h", 5400), ("2D", 172_800), ("0.5", 0.5)],
)
def test_a_duration(text: str, seconds: float) -> None:
    assert parse_duration("--time-limit", text) == seconds


@pytest.mark.parametrize(
    ("text", "count"), [("4G", 4 * 2**30), ("512M", 2**29), ("1.5g", 3 * 2**29), ("8KiB", 8192), ("1TB", 2**40)]
)
def test_a_size(text: str, count: int) -> None:
    assert parse_size("--memory-limit", text) == count


@pytest.mark.parametrize(("text", "value"), [("0.01", 0.01), ("-2", -2), ("1e-3", 0.001)])
def test_a_number(text: str, value: float) -> None:
    assert parse_number("--target", text) == value


@pytest.mark.parametrize("read", [parse_duration, parse_size, parse_number])
def test_none_is_no_limit(read: Callable[[str, str], Any]) -> None:
    assert read("--limit", "none") is None


REFUSED = [
    *(
        (parse_duration, text, "a duration like 90s, 45m or 1h30m")
        for text in ("", "0", "0s", "-5m", "5 m", "m", "5w", "inf")
    ),
    *((parse_size, text, "a size like 4G or 512M") for text in ("", "0G", "4", "-1G", "4 G", "lots", "nan", "0.0001K")),
    *((parse_number, text, "a number") for text in ("", "low", "nan", "inf", "1,2")),
]


@pytest.mark.parametrize(("read", "text", "expected"), REFUSED)
def test_what_is_none_of_them(read: Callable[[str, str], Any], text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=f"^--limit: expected {expected}, or none; got {re.escape(repr(text))}$"):
        read("--limit", text)


@pytest.mark.parametrize("read", [parse_duration, parse_size])
def test_a_number_without_end_is_refused_in_a_short_line(read: Callable[[str, str], Any]) -> None:
    with pytest.raises(BadInput) as error:
        read("--limit", "9" * 400 + ("G" if read is parse_size else "d"))
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(("name", "got"), [("_x", "'_x'"), ("-x", "'-x'"), ("a b", "'a b'"), ("a" * 101, "101 char")])
def test_a_name_that_is_refused_is_told_all_that_it_must_be(name: str, got: str) -> None:
    assert parse_name("a" * 100) == "a" * 100
    expected = "1 to 100 letters, digits, '.', '_' and '-', the first one a letter or a digit, got "
    with pytest.raises(BadInput, match=re.escape(expected + got)):
        parse_name(name)
