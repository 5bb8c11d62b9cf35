"""Ranges and lists as typed: what they mean, and the exact line for what they cannot mean."""

import math
import re

import pytest

from experiments.config.ranges import WIDTH_STEP, real, whole

WHOLE = "--depth: expected A:B with A not above B, or a list like 1,2, of whole numbers from 1 to 100; got {!r}"
RATE = "--rate: expected A:B with A below B, or a list like 0.1,0.2, of numbers from 0; got {!r}"
DROPOUT = "--dropout: expected A:B with A below B, or a list like 0.1,0.2, of numbers from 0 and below 1; got {!r}"


def exactly(line: str) -> str:
    return f"^{re.escape(line)}$"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", [2]),
        ("1,2", [1, 2]),
        ("3,1", [1, 3]),  # from the smallest on, in whatever order
        ("2,2,1,2", [1, 2]),  # each once
        ("1:3", range(1, 4)),
        ("2:2", range(2, 3)),
        (" 1 : 2 ", range(1, 3)),
        ("1, 2", [1, 2]),
        ("+2", [2]),
        ("007", [7]),
    ],
)
def test_whole_numbers(text: str, expected: range | list[int]) -> None:
    found = whole("--depth", text)
    assert found == expected
    assert type(found) is type(expected)
    assert all(type(number) is int for number in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("16:64", [16, 32, 48, 64]),
        ("16:128", [16, 32, 48, 64, 80, 96, 112, 128]),
        ("16:70", [16, 32, 48, 64]),  # never above B
        ("20:60", [20, 36, 52]),  # steps from A
        ("16:31", [16]),
        ("32,64", [32, 64]),
        ("10", [10]),
    ],
)
def test_widths_step_by_16(text: str, expected: list[int]) -> None:
    assert WIDTH_STEP == 16
    assert list(whole("--width", text, WIDTH_STEP)) == expected


@pytest.mark.parametrize(
    "text",
    ["", " ", "a", "nan", "inf", "1.0", "1e2", "0x10", "1:", ":3", ":", "1,,2", ",", "1,", "0", "-1", "1,0", "1,-2"]
    + ["3:1", "0:3", "-1:3", "1:2:3", "1:2,3", "1,2:3", "1-3", "1;2", "1 2", "a:b", "1:a", "²", "9" * 5000],
)
def test_no_whole_numbers(text: str) -> None:
    with pytest.raises(ValueError, match=exactly(WHOLE.format(text[:60]))) as caught:
        whole("--depth", text)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_line_names_the_argument() -> None:
    with pytest.raises(ValueError, match=r"^--width: expected A:B "):
        whole("--width", "wide", WIDTH_STEP)
    with pytest.raises(ValueError, match=r"^--learning-rate: expected A:B "):
        real("--learning-rate", "slow", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.001", [0.001]),
        ("1e-4:1e-2", (0.0001, 0.01)),
        ("0.1,0.01,0.1", [0.1, 0.01]),
        ("0", [0.0]),
        ("0:0.5", (0.0, 0.5)),
        (" 1e-3 : .5 ", (0.001, 0.5)),
        ("0, .5", [0.0, 0.5]),
        ("0,1", [0.0, 1.0]),  # a comma is no decimal point
        ("7", [7.0]),
    ],
)
def test_real_numbers(text: str, expected: tuple[float, float] | list[float]) -> None:
    found = real("--rate", text, 0)
    assert found == expected
    assert type(found) is type(expected)
    assert all(type(number) is float for number in found)


@pytest.mark.parametrize(
    "text",
    ["", " ", "a", "nan", "-nan", "inf", "-inf", "infinity", "1e999", "nan:1", "0:nan", "0:inf", "-inf:1", "1,nan"]
    + ["1,inf", "1:", ":3", ":", "1,,2", ",", "-1", "-0.1:1", "-1e-300", "3:1", "1:1", "1:2:3", "1:2,3", "0.1;0.2"],
)
def test_no_real_numbers(text: str) -> None:
    with pytest.raises(ValueError, match=exactly(RATE.format(text))):
        real("--rate", text, 0)


@pytest.mark.parametrize("text", ["1", "1.0", "0,1", "0:1", "0.5:2", "-0.1", "nan", "inf"])
def test_no_numbers_below_one(text: str) -> None:
    with pytest.raises(ValueError, match=exactly(DROPOUT.format(text))):
        real("--dropout", text, 0, 1)


@pytest.mark.parametrize(("text", "expected"), [("0", [0.0]), ("0:0.5", (0.0, 0.5)), ("0,0.999", [0.0, 0.999])])
def test_numbers_below_one(text: str, expected: tuple[float, float] | list[float]) -> None:
    assert real("--dropout", text, 0, 1) == expected


def test_least_is_included_and_below_is_not() -> None:
    assert real("x", "0.5", 0.5, 1) == [0.5]
    assert real("x", str(math.nextafter(1, 0)), 0.5, 1) == [math.nextafter(1, 0)]
    with pytest.raises(ValueError, match=r"^x: expected .* of numbers from 0\.5 and below 1; got '0\.4999'$"):
        real("x", "0.4999", 0.5, 1)
