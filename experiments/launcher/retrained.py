"""What trains candidates of a search again, for scripts and notebooks."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from experiments.config.finals import STARTS, WEIGHTS
from experiments.config.given import as_whole, by_arguments
from experiments.engines import WorkersDied
from experiments.system.console import console
from experiments.system.environment import environment
from tracking.errors import BadInput, SearchStateError

if TYPE_CHECKING:
    from experiments.launcher.retraining import Retraining


class Retrained:
    """The part of `Found` that trains candidates again. It has the name and the store of the search."""

    name: str
    uri: str

    @property
    def results(self) -> dict[str, Any]:
        """As of `Found`."""
        raise NotImplementedError

    def finals(
        self,
        *,
        top: int | None = None,
        seeds: int | None = None,
        epochs: int | None = None,
        lengths: Sequence[int] | None = None,
        data: str = "train",
        workers: int | str = "auto",
        engine: str = "local",
        address: str | None = None,
        workers_per_gpu: int = 1,
        time_limit: str | None = None,
        show: bool = True,
    ) -> dict[str, Any]:
        """Trains the best candidates of each cell again from fresh seeds, and says how sure the result is.

        Long because it describes its arguments. `results`, `answer` and `export` use the finals from then on.

        Args:
            top: candidates of each cell, by default 1.
            seeds: trainings of each candidate, by default 5.
            epochs: of a training, by default those of the search.
            lengths: also score the models at so many times the length, for example [2, 4].
            data: "train+val": when all are done, train the winner's middle seed on both splits.
            workers, engine, address, workers_per_gpu, show: as in `search`.
            time_limit: time after which the finals stop, like "45m". The same call goes on.

        Returns the finals, which docs/results-json.md describes. Raises as `search` does.
        """
        from experiments.launcher.engine import where
        from experiments.launcher.finals import Finals

        with by_arguments(), environment():
            given = {"top": top, "seeds": seeds, "epochs": epochs}
            wanted: dict[str, Any] = {key: as_whole(key, value) for key, value in given.items() if value is not None}
            wanted["lengths"] = None if lengths is None else [as_whole("lengths", length) for length in lengths]
            if data not in ("train", "train+val"):
                raise BadInput(f"data: expected train or train+val, got {data!r}")
            place = where(engine, address, str(workers), str(workers_per_gpu))
            how = place, time_limit or "none", self.uri, console(quiet=not show)
            self._run(Finals(self.name, wanted, *how, whole=data != "train"), "the same call goes on with its finals")
        return dict(self.results["finals"])

    def train(
        self,
        epochs: int,
        *,
        trial: int | None = None,
        seeds: int | None = None,
        start: str = WEIGHTS,
        workers: int | str = "auto",
        engine: str = "local",
        address: str | None = None,
        workers_per_gpu: int = 1,
        time_limit: str | None = None,
        show: bool = True,
    ) -> dict[str, Any]:
        """Trains a trial for more epochs. `export(run=…)` takes the model, by the name of the training.

        Long because it describes its arguments.

        Args:
            epochs: of this training.
            trial: its number, by default that of the winner.
            seeds: fresh ones, by default 1. The model of the middle one is kept.
            start: "weights": go on from the trial's model; "anew": from fresh weights.
            workers, engine, address, workers_per_gpu, show: as in `search`.
            time_limit: time after which the training stops, like "45m". The same call goes on.

        Returns the training, which docs/results-json.md describes under `trained`. Raises as `search` does.
        """
        from experiments.launcher.engine import where
        from experiments.launcher.train import Train

        with by_arguments(), environment():
            number = None if trial is None else as_whole("trial", trial, 0)
            several = None if seeds is None else as_whole("seeds", seeds)
            if start not in STARTS:
                raise BadInput(f"start: expected {' or '.join(STARTS)}, got {start!r}")
            place = where(engine, address, str(workers), str(workers_per_gpu))
            how = place, time_limit or "none", self.uri, console(quiet=not show)
            training = Train(self.name, number, as_whole("epochs", epochs), several, start, *how)
            self._run(training, "the same call goes on with its training")
        return next(one for one in self.results["trained"] if one["training"] == training.training)

    def _run(self, training: "Retraining", again: str) -> None:
        """Trains to the end, or to a limit; then the results are read again."""
        try:
            ended = training.run()
        except WorkersDied as error:
            raise SearchStateError(str(error)) from error
        check_end(self.name, ended, training.sent, again)
        self.__dict__.pop("results", None)


def check_end(name: str, ended: str, sent: bool, again: str) -> None:
    """Raises KeyboardInterrupt after Ctrl-C, and warns of a record that lacks something.

    Args:
        name: of the search.
        ended: why it has ended.
        sent: the record has everything.
        again: how to go on.
    """
    if ended == "interrupted":
        raise KeyboardInterrupt(f"the search {name!r} has stopped; {again}")
    if not sent:
        warnings.warn(f"the record of {name!r} lacks something; `recurrent sync {name}` sends it", stacklevel=3)
