"""The report at the end of a search: made and logged if that is a matter of seconds, and never at the search's cost."""

import os

from tracking.errors import RecurrentError
from tracking.store import in_a_line

SECONDS = 5.0  # that a search may spend on its report
MOST_TRIALS = 100  # more take longer: 12 trials took 3.8 s of processor time, 100 took 4.9 s, 300 took 6.5 s
OFF = "RECURRENT_NO_REPORT"  # a variable of the environment: with any value a search writes no report


def report_at_end(name: str, uri: str) -> str:
    """Makes the report of a search and logs it on its run. Returns what went wrong in one line, "" if nothing did.

    It cannot hang: the time is looked at after each question to the store, and a store answers or fails in seconds.
    Nothing that goes wrong here may fail a search, so every error becomes that line.
    """
    if os.environ.get(OFF):
        return ""
    try:
        return _publish(name, uri)
    except RecurrentError as error:
        return str(error)
    except Exception as error:  # a store's library for files, or a defect of the report
        return f"{type(error).__name__}: {in_a_line(error)}"


def _publish(name: str, uri: str) -> str:
    from tracking.report.publish import TooSlow, publish
    from tracking.searches import existing_search
    from tracking.store import working

    client, parent = existing_search(name, uri)
    if parent.data.metrics.get("trials/done", 0) > MOST_TRIALS:
        return ""
    try:
        with working(uri):
            publish(client, parent, SECONDS)
    except TooSlow:
        pass
    return ""
