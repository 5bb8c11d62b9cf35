"""An engine whose workers are threads that share nothing with the launcher but their messages."""

import queue
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import keras_tuner

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.engines import KILLED, Message, Worker
from experiments.worker.job import Job, work_remotely
from experiments.worker.remote import RemoteOracle
from support.fakes import FakeSpace, FakeTuner

LONGEST_SECONDS = 60.0  # that a worker waits for an answer


class Stopped(BaseException):
    """Ends the thread of a worker that was stopped. Nothing in the worker may catch it."""


class ThreadWorker(Worker):
    """A thread that runs `work_remotely`. A message and its answer are a step; between two steps it can be stopped."""

    def __init__(self, job: Job, index: int, memory_limit: int | None) -> None:
        self.index, self._key = index, uuid.uuid4().hex
        self.ended: int | None = None
        self.stopped = self.is_lost = False
        self.asked: queue.Queue[Message] = queue.Queue()
        self.answers: queue.Queue[Any] = queue.Queue()
        self.thread = threading.Thread(target=self._run, args=(job, memory_limit), daemon=True)

    @property
    def key(self) -> str:
        return self._key

    @property
    def code(self) -> int | None:
        return None if self.alive() else self.ended

    def _run(self, job: Job, memory_limit: int | None) -> None:
        try:
            self.ended = work_remotely(job, self.index, self._key, memory_limit, self._ask)
        except Stopped:
            pass
        except BaseException:
            self.ended = 1

    def _ask(self, message: Message) -> Any:
        self.asked.put(message)
        answer = self.answers.get(timeout=LONGEST_SECONDS)
        if self.stopped:
            raise Stopped
        return answer

    def go(self) -> None:
        self.thread.start()

    def alive(self) -> bool:
        return self.thread.is_alive() and not self.stopped

    def lost(self) -> bool:
        return self.is_lost

    def memory(self) -> int:
        return 0

    def stop(self) -> None:
        self.stopped = True
        self.ended = KILLED if self.ended is None else self.ended
        self.answers.put(None)

    def die(self) -> None:
        """Its process is killed."""
        self.stop()

    def lose(self) -> None:
        """Its machine is gone."""
        self.stop()
        self.is_lost = True


class ThreadEngine:
    """Runs workers as threads."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.started: list[ThreadWorker] = []
        self.closed, self.room, self.answered = False, 1, 0
        self.meanwhile: Callable[[], None] = lambda: None  # called before each look for messages

    def start(self, index: int, session: str, memory_limit: int | None) -> ThreadWorker:
        self.started.append(ThreadWorker(self.job, index, memory_limit))
        return self.started[-1]

    def places(self) -> int:
        return self.room

    def poll(self, seconds: float) -> list[tuple[Worker, Message]]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.meanwhile()
            if asked := [(worker, worker.asked.get()) for worker in self.started if not self._silent(worker)]:
                return asked
            time.sleep(0.001)
        return []

    def _silent(self, worker: ThreadWorker) -> bool:
        return worker.stopped or worker.asked.empty()

    def answer(self, worker: Worker, value: Any) -> None:
        assert isinstance(worker, ThreadWorker)
        self.answered += 1
        worker.answers.put(value)

    def close(self) -> None:
        self.closed = True


class SavingTuner(FakeTuner):
    """A fake tuner that goes on from a checkpoint and writes a model, as real ones do."""

    def run_execution(self, trial: Any, folder: Any, execution: int) -> dict[str, Any]:
        found = super().run_execution(trial, folder, execution)
        folder.model.write_bytes(f"the model of {folder.path.name}".encode())
        return found


def make_fake_remote(
    folder: SearchFolder, spec: Spec, index: int, session: str, memory_limit: int | None, ask: Any
) -> SavingTuner:
    space, objective = keras_tuner.HyperParameters(), keras_tuner.Objective("val_mse", "min")
    FakeSpace().declare_hyperparameters(space)
    oracle: Any = RemoteOracle(folder, ask, objective, space, session)
    return SavingTuner(oracle, FakeSpace(), 1, index, memory_limit)
