"""What a person sees of a search: a live table in a terminal or a notebook, one line per finished trial elsewhere."""

from collections.abc import Callable
from typing import Any

from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from experiments.launcher.frames import frame
from experiments.launcher.progress import Progress, TrialState
from experiments.system.console import say
from tracking.text import format_count, format_duration, format_number, format_spread, marks_line, metric_name
from tracking.verdict import Verdict, verdict

NARROW, LEFT_OUT = 70, ("worker", "learning rate")  # what a terminal with fewer columns does not show


class Display:
    """Shows a running search.

    Args:
        floors, solved: as `verdict` takes them.
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
        solved: float | None,
        epochs: int,
        session: str,
        seconds_left: Callable[[], float],
    ) -> None:
        self.console, self.progress, self.metric, self.epochs = console, progress, metric, epochs
        self.floors, self.solved = floors, solved
        self.session, self.seconds_left = session, seconds_left
        self.live = frame(console)
        self.ticks = 0
        self.longest = 20  # characters of the names of architectures so far

    def __enter__(self) -> "Display":
        if self.live:
            self.live.start()
            self.live.update(self.screen(), refresh=True)
        return self

    def __exit__(self, *error: Any) -> None:
        if self.live:
            self.live.update(self.screen(), refresh=True)
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
        text = Text(f"{place:>4}{self._of()}  {trial.shown}  {trial.architecture:<{self.longest}} ")
        if trial.outcome == "completed":
            spread = f" ± {format_spread(trial.spread)}" if trial.spread is not None else ""
            judged = self._verdict(trial)
            colour = "yellow" if judged and judged.kind == "none" else "green"
            text.append(f"{metric_name(self.metric)} {format_number(trial.score)}{spread}", colour)
            text.append(f"  {format_count(trial.parameters)} parameters  {format_duration(trial.seconds)}")
            text.append(f"  {judged}" if judged else "", colour)
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

    def _of(self) -> str:
        """What follows the number of trials that have ended: how many are planned."""
        return "" if self.progress.unlimited else f"/{self.progress.planned}"

    def _bar(self) -> Table:
        progress = self.progress
        done, failed, pruned = (len(progress.ended(outcome)) for outcome in ("completed", "failed", "pruned"))
        row = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=max(1, progress.planned * progress.epochs), completed=progress.units(), width=30)
        row.add_row(
            "" if progress.unlimited else bar,
            f"{done + failed + pruned}{self._of()} trials",
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
            row = str(trial.worker), trial.shown, trial.architecture, rate, epoch, format_number(trial.last_score)
            table.add_row(*(text for one, text in zip(everything, row, strict=True) if one in headings))
        return table

    def _best(self) -> str:
        best = self.progress.best()
        judged = self._verdict(best) if best else None
        found = f"{format_number(best.score)} ({best.architecture}, trial {best.shown})" if best else "-"
        return f"best {metric_name(self.metric)} {found}{f': {judged}' if judged else ''}   floors: {self._marks()}"

    def _marks(self) -> str:
        return marks_line(self.floors, self.solved, self.progress.direction)

    def _verdict(self, trial: TrialState) -> Verdict | None:
        return verdict(trial.score, self.progress.direction, self.floors, self.solved)
