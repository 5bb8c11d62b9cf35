"""What a person sees of a search: a live table in a terminal, one line per finished trial elsewhere."""

from collections.abc import Callable
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from experiments.launcher.progress import Progress, TrialState
from experiments.system.console import say
from tracking.text import floors_line, format_count, format_duration, format_number, format_spread, metric_name

NARROW, LEFT_OUT = 70, ("worker", "learning rate")  # what a terminal with fewer columns does not show


class Display:
    """Shows a running search.

    Args:
        epochs: the number of epochs of one execution.
        session: names the launcher; only the trials of its workers are shown as running.
        seconds_left: estimates how long the search still takes.
    """

    def __init__(
        self,
        console: Console,
        progress: Progress,
        metric: str,
        floors: dict[str, float],
        epochs: int,
        session: str,
        seconds_left: Callable[[], float],
    ) -> None:
        self.console, self.progress, self.metric, self.floors, self.epochs = console, progress, metric, floors, epochs
        self.session, self.seconds_left = session, seconds_left
        self.live = Live(console=console, auto_refresh=False, transient=True) if console.is_interactive else None
        self.ticks = 0
        self.longest = 20  # characters of the names of architectures so far

    def __enter__(self) -> "Display":
        if self.live:
            self.live.start()
            self.live.update(self.screen(), refresh=True)
        return self

    def __exit__(self, *error: Any) -> None:
        if self.live:
            self.live.stop()

    def tick(self) -> list[TrialState]:
        """Reads what is new in the journals, and shows it; returns the trials that have ended."""
        ended = self.progress.update()
        done = self.progress.done()
        for place, trial in enumerate(ended, start=done - len(ended) + 1):
            self._line(place, trial)
        self.ticks += 1
        if self.live and self.ticks % 2 == 0:
            self.live.update(self.screen(), refresh=True)
        return ended

    def _line(self, place: int, trial: TrialState) -> None:
        self.longest = max(self.longest, len(trial.architecture))
        text = Text(f"{place:>4}/{self.progress.planned}  {trial.name}  {trial.architecture:<{self.longest}} ")
        if trial.outcome == "completed":
            spread = f" ± {format_spread(trial.spread)}" if trial.spread is not None else ""
            text.append(f"{metric_name(self.metric)} {format_number(trial.score)}{spread}", "green")
            text.append(f"  {format_count(trial.parameters)} parameters  {format_duration(trial.seconds)}")
            if trial.continues is not None:
                text.append(f"  continues {trial.continues:04d}")
        elif trial.outcome == "pruned":
            text.append(
                f"pruned by {trial.reason}: {metric_name(self.metric)} {format_number(trial.last_score)}", "dim"
            )
        else:
            text.append(f"{trial.outcome}: {trial.reason}", "red")
        say(self.console, text)

    def screen(self) -> Group:
        return Group(self._bar(), self._workers(), Text(self._best()))

    def _bar(self) -> Table:
        progress = self.progress
        done, failed, pruned = (len(progress.ended(outcome)) for outcome in ("completed", "failed", "pruned"))
        row = Table.grid(padding=(0, 1))
        row.add_row(
            ProgressBar(total=max(1, progress.planned * progress.epochs), completed=progress.units(), width=30),
            f"{done + failed + pruned}/{progress.planned} trials",
            f"{pruned} pruned" if pruned else "",
            Text(f"{failed} failed", "red") if failed else "",
            f"{len(progress.running(self.session))} running",
            f"about {format_duration(self.seconds_left())} left" if progress.trials else "workers start",
        )
        return row

    def _workers(self) -> Table:
        table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
        everything = ("worker", "trial", "candidate", "learning rate", "epoch", metric_name(self.metric))
        headings = [one for one in everything if self.console.width >= NARROW or one not in LEFT_OUT]
        for heading in headings:
            table.add_column(heading, no_wrap=heading != "candidate", overflow="fold")
        for trial in self.progress.running(self.session):
            epoch = f"{min(trial.epoch + 1, self.epochs)}/{self.epochs}"
            rate = format_number(trial.values.get("learning_rate"))
            row = str(trial.worker), trial.name, trial.architecture, rate, epoch, format_number(trial.last_score)
            table.add_row(*(text for one, text in zip(everything, row, strict=True) if one in headings))
        return table

    def _best(self) -> str:
        best = self.progress.best()
        found = f"{format_number(best.score)} ({best.architecture}, trial {best.name})" if best else "-"
        return f"best {metric_name(self.metric)} {found}   floors: {floors_line(self.floors)}"
