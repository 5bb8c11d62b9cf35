"""What a person sees of a search: a live table in a terminal, one line per finished trial elsewhere."""

from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from experiments.progress import Progress, TrialState
from tracking.text import floors_line, format_amount, format_duration, format_number, metric_name

LIMIT = 12  # rows of the leaderboard
WIDE = 100  # columns of a terminal that has room for what a candidate costs


class Display:
    """Shows a running search.

    Args:
        epochs: of one execution.
        session: of the launcher; set when it is known.
    """

    def __init__(
        self, console: Console, progress: Progress, metric: str, floors: dict[str, float], epochs: int
    ) -> None:
        self.console, self.progress, self.metric, self.floors, self.epochs = console, progress, metric, floors, epochs
        self.session = ""
        self.live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self.ticks = 0

    def __enter__(self) -> "Display":
        if self.live:
            self.live.start()
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

    def _line(self, done: int, trial: TrialState) -> None:
        text = Text(f"{done:>4}/{self.progress.planned}  {trial.number}  {trial.architecture:<20} ")
        if trial.outcome == "completed":
            spread = f" ± {trial.spread:.2g}" if trial.spread is not None else ""
            text.append(f"{metric_name(self.metric)} {format_number(trial.score)}{spread}", "green")
            text.append(f"  {trial.parameters:,} parameters  {format_duration(trial.seconds)}")
        elif trial.outcome == "pruned":
            text.append(
                f"pruned by {trial.reason}: {metric_name(self.metric)} {format_number(trial.last_score)}", "dim"
            )
        else:
            text.append(f"{trial.outcome}: {trial.reason}", "red")
        self.console.print(text, soft_wrap=True)

    def screen(self) -> Group:
        return Group(self._bar(), self._workers(), Text(self._best()))

    def _bar(self) -> Table:
        progress, left = self.progress, self.progress.seconds_left()
        done, failed, pruned = (len(progress.ended(outcome)) for outcome in ("completed", "failed", "pruned"))
        row = Table.grid(padding=(0, 1))
        row.add_row(
            ProgressBar(total=max(1, progress.planned * progress.epochs), completed=progress.units(), width=30),
            f"{done + failed + pruned}/{progress.planned} trials",
            f"{pruned} pruned" if pruned else "",
            f"[red]{failed} failed[/]" if failed else "",
            f"{len(progress.running(self.session))} running",
            "starting" if left is None else f"about {format_duration(left)} left",
        )
        return row

    def _workers(self) -> Table:
        table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
        for heading in ("worker", "trial", "candidate", "learning rate", "epoch", metric_name(self.metric)):
            table.add_column(heading)
        for trial in self.progress.running(self.session):
            epoch = f"{min(trial.epoch + 1, self.epochs)}/{self.epochs}"
            rate = format_number(trial.values.get("learning_rate"))
            table.add_row(
                str(trial.worker), trial.number, trial.architecture, rate, epoch, format_number(trial.last_score)
            )
        return table

    def _best(self) -> str:
        best = self.progress.best()
        found = f"{format_number(best.score)} ({best.architecture}, trial {best.number})" if best else "-"
        return f"best {metric_name(self.metric)} {found}   floors: {floors_line(self.floors)}"


def leaderboard(console: Console, found: dict[str, Any], ranked: list[dict[str, Any]]) -> None:
    """The best trial of each cell, then the best of all."""
    console.print(f"\n[bold]{found['search']}[/]: {found['task']}, {found['metric']} ({found['direction']} is better)")
    console.print(f"floors: {floors_line(found['floors'])}")
    if not ranked:
        console.print("no trial has completed")
        return
    by_cell: dict[str, dict[str, Any]] = {}
    for trial in ranked:
        by_cell.setdefault(trial["values"]["cell"], trial)
    wide = console.width >= WIDE
    console.print(_table("Best by cell", list(by_cell.values()), found["metric"], wide))
    title = "All trials" if len(ranked) <= LIMIT else f"Best {LIMIT} of {len(ranked)} trials"
    console.print(_table(title, ranked[:LIMIT], found["metric"], wide))
    pruned = sum(trial["outcome"] == "pruned" for trial in found["trials"])
    if pruned:
        console.print(f"{pruned} of {len(found['trials'])} trials were pruned: not worth further epochs")
    failed = [trial for trial in found["trials"] if trial["outcome"] == "failed"]
    for trial in failed:
        text = f"trial {trial['trial']} {trial['architecture']} failed: {trial['reason']}"
        console.print(Text(text, "red"), soft_wrap=True)


def _table(title: str, trials: list[dict[str, Any]], metric: str, wide: bool) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", header_style="dim", box=None, padding=(0, 2, 0, 0)
    )
    table.add_column("architecture", overflow="fold")  # the one that gives way where the terminal is narrow
    table.add_column(metric_name(metric), justify="right", style="green", no_wrap=True)
    cells = [_cells(trial, wide) for trial in trials]
    shown = [name for name in cells[0] if name != "± sd" or any(one[name] for one in cells)]
    for heading in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    for trial, one in zip(trials, cells, strict=True):
        table.add_row(trial["architecture"], format_number(trial["score"]), *(one[heading] for heading in shown))
    return table


def _cells(trial: dict[str, Any], wide: bool) -> dict[str, str]:
    """What a row of the leaderboard says beside architecture and score, by heading."""
    costs = {"flops/token": format_amount(trial["flops_per_token"]), "ms/step": format_amount(trial["ms_per_step"])}
    return {
        "± sd": "" if trial["spread"] is None else f"{trial['spread']:.2g}",
        "parameters": f"{trial['parameters']:,}" if trial["parameters"] is not None else "-",
        **(costs if wide else {}),
        "learning rate": format_number(trial["values"].get("learning_rate")),
        "time": format_duration(trial["seconds"] or 0),
        "trial": trial["trial"],
    }


def horizon_table(trials: list[dict[str, Any]]) -> Table:
    """How far back each trial's model sees, at the beginning and trained."""
    from tracking.horizon import half_life  # MLflow takes a second, which no other table needs

    table = Table(header_style="dim", box=None, padding=(0, 2, 0, 0))
    table.add_column("architecture", overflow="fold")
    for heading in ("trial", "", "half-life", "over all", "left after 50", "1% at lag"):
        table.add_column(heading, justify="right", no_wrap=True)
    for trial in trials:
        for moment, words_ in (("init_", "init"), ("", "trained")):
            shown = [half_life(trial["horizon"], moment, over) for over in ("_50", "")]
            shown += [f"{trial['horizon'][f'{moment}{key}']:.3g}" for key in ("g50_g0", "tau_1pct")]
            name = (trial["architecture"], trial["trial"]) if moment else ("", "")
            table.add_row(*name, words_, *shown)
    return table
