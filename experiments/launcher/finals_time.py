"""How long finals still take."""

from rich.text import Text

from experiments.config import estimate
from experiments.config.finals import Plan
from experiments.config.folders import SearchFolder
from experiments.launcher.progress import Progress
from tracking.text import format_range

RANGE = 1.6  # the estimate is shown as a range from a RANGE-th to RANGE times of it


class Remaining:
    """How long finals still take, from what their candidates took in the search.

    Args:
        search: the folder of the search.
        workers: that run at the same time.
    """

    def __init__(self, made: Plan, progress: Progress, search: SearchFolder, workers: int) -> None:
        self.made, self.progress, self.workers = made, progress, workers
        self.epoch = {name: _epoch_seconds(search, name) for name in made.values}

    def seconds(self) -> float:
        """Seconds until all finals have ended."""
        left = 0.0
        for number, final in enumerate(self.made.finals):
            state = self.progress.trials.get(f"{number:04d}")
            if state is None or not state.outcome:
                left += (self.made.epochs - (state.epochs if state else 0)) * self.epoch[final.candidate]
        return estimate.START_SECONDS + left / estimate.parallel(self.workers) if left else 0.0

    def announcement(self, title: str) -> Text:
        """The line before the finals begin.

        Args:
            title: its first word.
        """
        seconds, names = self.seconds(), ", ".join(self.made.values)
        some = f"{len(self.made.values)} candidate(s) ({names}) x {self.made.seeds} seed(s) x {self.made.epochs} epochs"
        time = format_range(seconds / RANGE, seconds * RANGE)
        about = f"{self.workers} worker(s); about {time}" if seconds else "all done"
        return Text.assemble((title, "bold"), f": {some}, {about}")


def _epoch_seconds(search: SearchFolder, name: str) -> float:
    """Seconds of an epoch of a trial of the search, with its share of what came before and after the epochs."""
    events = search.trial(int(name)).journal.events()
    spent = [event["seconds"] for event in events if event["event"] == "execution" and event.get("seconds")]
    epochs = sum(event["event"] == "epoch" for event in events)
    return sum(spent) / epochs if epochs else 0.0
