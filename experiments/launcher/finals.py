"""One call of `recurrent finals`: the best candidates of a search, trained again from fresh seeds."""

from statistics import median_high
from typing import Any

from rich.console import Console

from experiments.config.finals import TOP, Plan, plan
from experiments.config.folders import SEARCHES, SearchFolder
from experiments.config.spec import Spec
from experiments.launcher.engine import Where
from experiments.launcher.progress import Progress, TrialState
from experiments.launcher.retraining import Retraining
from experiments.tasks.base import Task
from tracking.errors import BadInput, SearchStateError
from tracking.finals import exported_final
from tracking.results import ranked, results
from tracking.searches import existing_search


class Finals(Retraining):
    """One call of `recurrent finals`, or the end of `recurrent search --finals`.

    Args:
        wanted: top, seeds, epochs and lengths as the user gives them; None for what is not given.
        whole: when all finals are done, train the winner's middle seed on training and validation data.

    The other arguments are those of `Retraining`.
    """

    def __init__(
        self,
        name: str,
        wanted: dict[str, Any],
        where: Where,
        time_limit: str,
        uri: str,
        console: Console,
        whole: bool = False,
    ) -> None:
        super().__init__(name, where, time_limit, uri, console)
        self.wanted, self.whole = wanted, whole

    def place(self) -> SearchFolder:
        return self.folder.finals

    def train(self, spec: Spec) -> str:
        data = self.data(spec)
        self._check(data.task)
        made = self._plan(spec, data.task.direction)
        shared = data.arrays if data.task.finite_data else []  # other finals have their own data
        ended = self.train_plan(made, data, shared)
        if not self.whole or not self.done:
            return ended
        return self.train_plan(self._with_whole(made), data, shared)

    def _with_whole(self, made: Plan) -> Plan:
        """The plan with the final on training and validation data, written into the folder."""
        found = results(*existing_search(self.name, self.uri))
        if not found["finals"] or not found["finals"]["complete"]:
            hint = f"`recurrent sync {self.name}` sends them"
            raise SearchStateError(f"--data: expected all finals of {self.name!r} in {self.uri}, got some; {hint}")
        final = exported_final(found["finals"], found["direction"])
        epochs = median_high(found["finals"]["candidates"][0]["best_epochs"])
        more = made.with_whole(final["candidate"], final["seed"], epochs)
        more.write(self.place())
        return more

    def _check(self, task: Task) -> None:
        if self.whole and task.online:
            raise BadInput("--data: expected train for a task that draws fresh samples in every epoch, got train+val")
        if self.wanted.get("lengths") and not task.lengthens:
            raise BadInput(f"--lengths: expected none for a task whose knob is no length or lag, got {task.knob}")

    def _plan(self, spec: Spec, direction: str) -> Plan:
        """The plan, written into the folder."""
        before = Plan.read(self.place()) if self.place().trials() else None
        top = self.wanted.get("top") or (before.top if before else TOP)
        progress = Progress(self.folder.path / "trials", direction, 0, spec.epochs)
        best = candidates(progress.ended("completed"), direction, top)
        if not best:
            raise SearchStateError(f"NAME: expected a search with a completed trial, got {self.name!r}, which has none")
        values = {trial.name: trial.proposed for trial in best}
        made = plan(before, values, spec.epochs, self.wanted)
        made.write(self.place())
        return made


def at_least(name: str, top: int) -> int:
    """The candidates of each cell of a search with `--finals`: as many as it says, or as earlier finals have."""
    before = Plan.read(SearchFolder(SEARCHES / name).finals)
    return max(top, before.top) if before else top


def candidates(completed: list[TrialState], direction: str, top: int) -> list[TrialState]:
    """The best `top` completed trials of each cell, the best of all first. Models of several cells are one group."""
    by_name = {trial.name: trial for trial in completed}
    trials = [
        {"trial": name, "architecture": trial.architecture, "values": trial.values}
        | {"score": trial.score, "spread": trial.spread, "parameters": trial.parameters, "ms_per_step": None}
        for name, trial in sorted(by_name.items())
    ]
    taken: dict[str, int] = {}
    found = []
    for trial in ranked({"direction": direction, "trials": trials}):
        cell = str(trial["values"]["cell"])
        group = "several" if "+" in cell else cell
        taken[group] = taken.get(group, 0) + 1
        if taken[group] <= top:
            found.append(by_name[trial["trial"]])
    return found
