"""Counts the workers that a trial has killed."""

from itertools import pairwise

from tracking.journal import Event, Journal

DEATHS = 3  # a trial has failed if it has lost this many workers without a new epoch in between


def deaths(events: list[Event], session: str) -> int:
    """How often a worker of the trial has died while its launcher lived on, since the last finished epoch.

    Two "start" events in a row with the same session mean that the first worker died and its launcher did not.

    Args:
        events: of the trial's journal.
        session: of the launcher that runs now.
    """
    sessions: list[str] = []
    for event in events:
        if event["event"] == "epoch":
            sessions = sessions[-1:]
        elif event["event"] == "start":
            sessions.append(event["session"])
        elif event["event"] == "lost":  # the machine was lost; the trial is not to blame
            sessions.pop()
    return sum(earlier == later for earlier, later in pairwise([*sessions, session]))


def lost_end(journal: Journal, session: str) -> Event | None:
    """The "end" event of a lost trial, or None if it runs again. After DEATHS dead workers the trial has failed."""
    events = journal.events()
    if events and events[-1]["event"] == "end":
        return events[-1]
    if deaths(events, session) < DEATHS:
        return None
    return journal.append("end", outcome="failed", score=None, reason=f"killed its worker {DEATHS} times")
