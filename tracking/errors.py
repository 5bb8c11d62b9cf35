"""What goes wrong for reasons that a user can mend. The command line shows each in one line, with exit code 2.

    RecurrentError
        BadInput            an argument, an option or an argument of a call
        DataError           a user's data or task, a text, a download
        StoreError          the MLflow store
            Unreachable     it does not answer now: asking again later may help
            Denied          it does not let us in, or has nothing where it was asked
        SearchStateError    a search that is not in the right state: it runs, its name is taken, it has no model

Any other exception is a defect of this project and shows its traceback.
"""

import traceback
from pathlib import Path

ROOT = Path(__file__).parents[1]  # of this project


class RecurrentError(ValueError):
    """The message is one line: the argument, what was expected, what came."""


class BadInput(RecurrentError):
    """An argument has a value that it cannot have."""


class DataError(RecurrentError):
    """Data are missing, damaged, or not what they must be."""


class StoreError(RecurrentError):
    """The MLflow store cannot be used."""


class Unreachable(StoreError):
    """A server gives no answer, or none in time, or a file is locked for too long: asking again later may help."""


class Denied(StoreError):
    """A server does not let us in, or is no MLflow."""


class SearchStateError(RecurrentError):
    """A search is not in the state that the command needs."""


def is_defect(error: Exception) -> bool:
    """True for an error that a file of this project has raised itself, and no library that it has called.

    It tells our defects from what unknown libraries raise for reasons that a user can mend.
    """
    place = traceback.extract_tb(error.__traceback__)[-1].filename
    return any(Path(place).is_relative_to(ROOT / room) for room in ("experiments", "search_spaces", "tracking"))
