"""A seat is a process on a node of a Ray cluster in which one worker runs. The launcher asks it for its next message.

The launcher calls, and the seat answers: so nothing new listens on the network, and a seat that the launcher has given
up can send nothing. This file does not import Ray.
"""

import os
import queue
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

import psutil

from experiments.engines import Message
from experiments.system.imports import import_keras
from experiments.system.resources import process_memory
from experiments.worker.job import Job, work_remotely
from experiments.worker.process import redirect, use_gpu

ALIVE_SECONDS = 5.0  # after so long without a message the seat says that it lives
LOG_PART, LAST_PART = 2**16, 2**20  # bytes of the worker's log that go with one message, and with the last one
ENDED, ALIVE = "ended", "alive"


class Seat:
    """Runs one worker in a thread.

    Args:
        job: of the search.
        index: of the worker.
        key: names this start of the worker.
        memory_limit: bytes; the launcher ends a worker that uses more. None for no limit.
        per_gpu: how many seats share a GPU; 0 if Ray has given none to this process.
    """

    def __init__(self, job: Job, index: int, key: str, memory_limit: int | None, per_gpu: int) -> None:
        self.index = index
        number, name = tempfile.mkstemp(prefix="recurrent-", suffix=".log")
        self.gpu, self.per_gpu = os.environ.get("CUDA_VISIBLE_DEVICES") if per_gpu else None, per_gpu
        redirect(Path(name), self.gpu)
        os.unlink(name)  # a seat that is killed leaves no file; what is printed is read by the number
        self.log = os.fdopen(number, "rb", buffering=0)
        self.asked: queue.Queue[Message] = queue.Queue()
        self.answers: queue.Queue[Any] = queue.Queue()
        self.owes = False  # the worker waits for an answer
        threading.Thread(target=self._work, args=(job, key, memory_limit), daemon=True).start()

    def _work(self, job: Job, key: str, memory_limit: int | None) -> None:
        code = 1
        try:
            import_keras()
            use_gpu(self.gpu, self.per_gpu)
            code = work_remotely(job, self.index, key, memory_limit, self._ask)
        except BaseException:
            traceback.print_exc()
        self.asked.put({"ask": ENDED, "code": code})

    def _ask(self, message: Message) -> Any:
        self.asked.put(message)
        return self.answers.get()

    def next(self, answer: Any) -> Message:
        """The worker's next message, with its memory and what it has printed since the last one.

        Args:
            answer: to the message before, if the worker waits for one.
        """
        if self.owes:
            self.answers.put(answer)
        try:
            message = self.asked.get(timeout=ALIVE_SECONDS)
        except queue.Empty:
            message = {"ask": ALIVE}
        self.owes = message["ask"] not in (ALIVE, ENDED)
        part = LAST_PART if message["ask"] == ENDED else LOG_PART
        return message | {"memory": process_memory(psutil.Process()), "index": self.index, "log": self.log.read(part)}
