"""What is wrong with the arguments of a space."""

from collections.abc import Sequence


class SpaceError(ValueError):
    """An argument has a value that it cannot have; the message begins with its name."""


class UnknownName(SpaceError):
    """`got` is none of the names in `known`."""

    def __init__(self, argument: str, got: str, known: Sequence[str]) -> None:
        super().__init__(f"{argument}: expected some of {', '.join(known)}, got {got!r}")
        self.got, self.known = got, known
