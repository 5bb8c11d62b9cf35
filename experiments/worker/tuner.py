"""The Keras Tuner tuner of a worker. It runs one trial after another.

Keras Tuner's own `search()` loop asks the oracle for a trial, calls `run_trial`, and tells the oracle how it ended.
The scores and the end of a trial are written to the trial's journal before the oracle tells the study.
"""

import math
import statistics
import sys
from typing import Any

import keras_tuner
import psutil
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.errors import FatalError

from experiments.config.folders import FULL_DISK, TrialFolder
from experiments.strategy.oracle import StudyOracle
from experiments.system.resources import process_memory
from experiments.worker.process import RETIRED, own_key
from search_spaces.architecture import architecture
from tracking.candidates import candidate_in
from tracking.executions import middle
from tracking.journal import Event

Execution = dict[str, Any]  # the fields of an "execution" event
MAX_GROWTH = 2**30  # bytes by which the memory of a worker may grow after its first trial


class Pruned(Exception):
    """Ends a trial that is pruned. `fields` are fields of its "end" event."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(fields.get("reason", ""))
        self.fields = fields


class SearchTuner(keras_tuner.Tuner):
    """Keras Tuner's loop over a `StudyOracle`, with a journal for each trial. Subclasses define an execution.

    Args:
        oracle: gives the trials.
        hypermodel: declares the space and builds the models.
        executions: seeded trainings of a trial.
        worker: the index of the worker.
        memory_limit: bytes; the launcher ends a worker that uses more. None for no limit.

    Attributes:
        key: names this start of the worker in the journals.
    """

    oracle: StudyOracle

    def __init__(
        self, oracle: StudyOracle, hypermodel: Any, executions: int, worker: int, memory_limit: int | None = None
    ) -> None:
        super().__init__(oracle, hypermodel, directory=str(oracle.folder.path), project_name=".")
        self.tuner_id, self.key = f"worker{worker}", own_key()
        self.executions, self.worker, self.memory_limit = executions, worker, memory_limit
        self.host: dict[str, str] = {}  # where it runs, if that is not the launcher's machine
        self.first_size = 0  # bytes of memory after the first trial

    def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> Execution:
        """Trains once; returns fields of the "execution" event, `score` among them. Raises Pruned."""
        raise NotImplementedError

    def save_model(self, trial: Trial, folder: TrialFolder, kept: Event) -> None:
        """Writes the trial's model.

        Args:
            kept: the "execution" event of the execution whose weights the model gets.
        """

    def describe(self, values: dict[str, Any]) -> dict[str, Any]:
        """The parameters of a trial in MLflow, from the values of its hyperparameters."""
        return {"architecture": architecture(values), **values}

    def about(self, trial: Trial) -> dict[str, Any]:
        """Further fields of a trial's "start" event."""
        earlier = self.oracle.continued(trial.trial_id)
        return {} if earlier is None else {"continues": earlier.number}

    def on_trial_begin(self, trial: Trial) -> None:
        folder = self.oracle.claimed[trial.trial_id]
        attempt = 1 + sum(event["event"] == "start" for event in folder.journal.events())
        values = trial.hyperparameters.values
        folder.journal.append(
            "start",
            trial=trial.trial_id,
            attempt=attempt,
            session=self.oracle.session,
            worker=self.worker,
            key=self.key,
            values=values,
            parameters=self.describe(values),
            **self.host,
            **self.about(trial),
        )

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Runs the executions that the journal does not have yet; returns the mean score of all executions.

        Raises FatalError if the disk is full. Keras Tuner then stops; every later trial would fail, too.
        """
        try:
            return self._run_executions(trial)
        except OSError as error:
            if error.errno not in FULL_DISK:
                raise
            raise FatalError("the disk is full") from error

    def _run_executions(self, trial: Trial) -> dict[str, float]:
        folder = self.oracle.claimed[trial.trial_id]
        events = folder.journal.events()
        for event in events:  # after a kill the study may lack the last epoch of the journal
            if event["event"] == "epoch" and event["execution"] == 0:
                self.oracle.update_trial(trial.trial_id, event["metrics"], event["epoch"])
        done = [event for event in events if event["event"] == "execution"]
        for execution in range(len(done), self.executions):
            try:
                found = self.run_execution(trial, folder, execution)
            except Pruned as pruned:
                folder.journal.append("end", outcome="pruned", score=None, **pruned.fields)
                # Keras Tuner needs a number. The oracle reads the end of the trial from the journal.
                return {self.oracle.objective.name: math.nan}
            done.append(folder.journal.append("execution", execution=execution, **found))
        self._end(trial, folder, done)
        return {self.oracle.objective.name: statistics.fmean(event["score"] for event in done)}

    def _end(self, trial: Trial, folder: TrialFolder, done: list[Event]) -> None:
        """Writes the model and the "end" event of a completed trial. The model is that of the middle execution."""
        scores = [event["score"] for event in done]
        kept = done[middle(scores, self.oracle.objective.direction)]
        end = {"score": statistics.fmean(scores), "spread": statistics.stdev(scores) if len(scores) > 1 else None}
        candidate = candidate_in(folder.number, [*folder.journal.events(), {**kept, **end, "event": "end"}])
        if candidate is not None and self.oracle.may_win(candidate):
            self.save_model(trial, folder, kept)
        folder.journal.append(
            "end",
            outcome="completed",
            **end,
            model_score=kept["score"],
            execution=kept["execution"],
            epoch=kept.get("epoch"),
            samples=kept.get("samples", {}),
            seconds=sum(event.get("seconds", 0.0) for event in done),
            **{name: kept[name] for name in ("ms_per_step", "horizon") if name in kept},
            **({"reason": kept["stopped"]} if kept.get("stopped") else {}),
        )

    def on_trial_end(self, trial: Trial) -> None:
        folder = self.oracle.claimed[trial.trial_id]
        if trial.status != TrialStatus.COMPLETED:
            folder.journal.append("end", outcome="failed", score=None, **_failure(trial.message or ""))
        super().on_trial_end(trial)
        self._retire_if_grown()

    def _retire_if_grown(self) -> None:
        """Ends a worker whose memory has grown too much; the launcher starts a new one in its place.

        TensorFlow keeps some memory of every model. The worker ends when half of the memory between its first size and
        the limit is used. Otherwise the launcher would kill a later trial for the memory of earlier ones.
        """
        size = process_memory(psutil.Process())
        self.first_size = self.first_size or size
        growth = MAX_GROWTH
        if self.memory_limit is not None:
            growth = min(MAX_GROWTH, (self.memory_limit - self.first_size) // 2)
        if size > self.first_size + growth:
            sys.exit(RETIRED)

    def _populate_initial_space(self) -> None:
        """Declares the space without building models. Keras Tuner would build two for each conditional branch."""
        space = self.oracle.get_space()
        self.hypermodel.declare_hyperparameters(space)
        self.oracle.update_space(space)

    def save(self) -> None:
        """Does nothing: the study and the journals have the whole state."""


def _failure(message: str) -> dict[str, str]:
    """The "end" fields of a failed trial: the last line of its traceback, and the end of the traceback."""
    lines = [line for line in message.strip().splitlines() if line.strip()]
    reason = lines[-1].strip() if lines else "unknown error"
    return {"reason": reason.removeprefix("keras_tuner.src.errors.FailedTrialError: "), "error": message[-5000:]}
