"""What is wrong with the arguments of a space."""


class SpaceError(ValueError):
    """An argument has a value that it cannot have; the message begins with its name."""
