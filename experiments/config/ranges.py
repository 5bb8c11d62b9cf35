"""Parses ranges and lists of numbers as typed on the command line.

1:3          the whole numbers 1, 2, 3; widths have a step of 16, so 16:64 is 16, 32, 48, 64
1,2 or 2     these numbers
1e-4:1e-2    all real numbers between the two
"""

import math

from tracking.errors import BadInput

WIDTH_STEP = 16
MOST_WIDTH, MOST_DEPTH = 65_536, 100  # a layer of the largest width has billions of weights


def whole(argument: str, text: str, step: int = 1) -> range | list[int]:
    """Parses whole numbers from 1 on. A:B gives a range, a list gives its numbers, sorted. Raises BadInput.

    Args:
        argument: the flag that the error names.
        step: between the numbers of a range.
    """
    most = MOST_WIDTH if step == WIDTH_STEP else MOST_DEPTH
    expected = f"{argument}: expected A:B with A not above B, or a list like 1,2, of whole numbers from 1 to {most:,}"
    expected = f"{expected}; got {text[:60]!r}"
    ends = text.split(":")
    try:
        numbers = [int(part) for part in (ends if len(ends) == 2 else text.split(","))]
    except ValueError:
        raise BadInput(expected) from None
    if min(numbers) < 1 or max(numbers) > most or (len(ends) == 2 and numbers[0] > numbers[1]):
        raise BadInput(expected)
    return range(numbers[0], numbers[1] + 1, step) if len(ends) == 2 else sorted(set(numbers))


def real(
    argument: str, text: str, least: float, below: float = math.inf, above: bool = False
) -> tuple[float, float] | list[float]:
    """Parses real numbers. A:B gives the ends of an interval, a list gives its numbers. Raises BadInput.

    Args:
        argument: the flag that the error names.
        least: the smallest allowed number.
        below: all numbers are below it.
        above: `least` itself is not allowed.
    """
    bound = ("above" if above else "from") + f" {least:g}" + (f" and below {below:g}" if below < math.inf else "")
    expected = f"{argument}: expected A:B with A below B, or a list like 0.1,0.2, of numbers {bound}; got {text!r}"
    ends = text.split(":")
    try:
        numbers = [float(part) for part in (ends if len(ends) == 2 else text.split(","))]
    except ValueError:
        raise BadInput(expected) from None
    fit = all(least <= number < below and not (above and number == least) for number in numbers)
    if not fit or (len(ends) == 2 and not numbers[0] < numbers[1]):
        raise BadInput(expected)
    return (numbers[0], numbers[1]) if len(ends) == 2 else list(dict.fromkeys(numbers))
