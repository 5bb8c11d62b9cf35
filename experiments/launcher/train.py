"""One call of `recurrent train`: a trial of a search, trained for more epochs."""

import dataclasses
from typing import Any

from rich.console import Console

from experiments.config.finals import WEIGHTS, Plan, plan, training_name
from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.launcher.engine import Where
from experiments.launcher.finals_opening import FinalsOpening
from experiments.launcher.progress import Progress
from experiments.launcher.retraining import Data, Retraining
from experiments.launcher.trained_opening import TrainedOpening
from experiments.system.files import link
from tracking.caveats import winner
from tracking.errors import BadInput, SearchStateError
from tracking.results import results
from tracking.searches import existing_search


class Train(Retraining):
    """One call of `recurrent train`.

    Args:
        trial: its number; None for the winner, that of the finals if they have ended.
        epochs: of this training.
        seeds: fresh ones; None for as many as an earlier call had, or 1.
        start: "weights", those of the trial's model, or "anew".

    The other arguments are those of `Retraining`.
    """

    what, title = "trainings", "train"

    def __init__(
        self,
        name: str,
        trial: int | None,
        epochs: int,
        seeds: int | None,
        start: str,
        where: Where,
        time_limit: str,
        uri: str,
        console: Console,
    ) -> None:
        super().__init__(name, where, time_limit, uri, console)
        self.number, self.epochs, self.seeds, self.start = trial, epochs, seeds, start
        self.training = ""  # its name, when the trial is known

    def place(self) -> SearchFolder:
        return self.folder.trained(self.training)

    def opening(self, facts: dict[str, Any], described: dict[str, Any], made: Plan) -> FinalsOpening:
        return TrainedOpening(self.uri, self.folder, facts, described, self.session, made, self._warn)

    def spec(self, search: Spec, made: Plan, data: Data) -> Spec:
        """Without what ends a trial of the search early: the user says how many epochs this training has."""
        return dataclasses.replace(super().spec(search, made, data), patience=0, trial_time_limit="none")

    def train(self, spec: Spec) -> str:
        made = self._plan(spec)
        data = self.data(spec)
        made.write(self.place())
        return self.train_plan(made, data, data.arrays)

    def _plan(self, spec: Spec) -> Plan:
        """The plan. The model whose weights it needs lies in its folder, since the search may remove its own."""
        progress = Progress(self.folder.path / "trials", "min", 0, spec.epochs)
        name = self._winner() if self.number is None else f"{self.number:04d}"
        if name not in progress.trials:
            known = f"0 to {max(map(int, progress.trials))}" if progress.trials else "it has none"
            raise BadInput(f"--trial: expected a trial of {self.name!r} ({known}), got {self.number}")
        self.training = training_name(name, self.epochs, self.start)
        before = Plan.read(self.place()) if self.place().trials() else None
        wanted = {"seeds": self.seeds or (None if before else 1), "start": self.start}
        made = plan(before, {name: progress.trials[name].proposed}, self.epochs, wanted)
        if self.start == WEIGHTS and not self.place().start.exists():
            self._keep_start(int(name))
        return made

    def _winner(self) -> str:
        found = results(*existing_search(self.name, self.uri))
        best = winner(found)
        if best is None:
            raise SearchStateError(f"NAME: expected a search with a completed trial, got {self.name!r}, which has none")
        return str(best["trial"])

    def _keep_start(self, number: int) -> None:
        trial = self.folder.trial(number)
        if not trial.model.exists():
            kept = ", ".join(str(one.number) for one in self.folder.with_models()) or "none"
            raise BadInput(
                f"--from: expected anew for a trial whose model is not kept, got weights of trial {number};"
                f" the models of these trials are kept: {kept}"
            )
        self.place().path.mkdir(exist_ok=True)
        link(self.place().start, trial.model)
