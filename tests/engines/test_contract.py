"""What the launcher expects of every engine: `experiments/engines/__init__.py` says it."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.endings import ASKS, SLEEPS, STATES, make
from support.fakes import make_spec
from support.threads import ThreadEngine

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.engines import Message, Worker
from experiments.engines.local import LocalEngine
from experiments.worker.job import Job

pytestmark = pytest.mark.usefixtures("before_fork")

ADDRESS = "TEST_CLUSTER"  # the variable with the address of a cluster; test_ray.py sets it
ENDED_SECONDS = 120.0  # longest start and end of a worker
ON_CLUSTER = (pytest.mark.slow, pytest.mark.skipif(ADDRESS not in os.environ, reason="test_ray.py runs it"))
EVERYWHERE = ["local", "threads", pytest.param("ray", marks=ON_CLUSTER)]


Start = Callable[[int], Worker]


@pytest.fixture(params=EVERYWHERE, scope="module")
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    search = SearchFolder(tmp_path_factory.mktemp("search"))
    make_spec().write(search)
    job = Job(Spec.read(search).to_json(), "s", make)
    found: Any
    if request.param == "ray":
        from experiments.engines.ray import RayEngine

        found = RayEngine(job, os.environ[ADDRESS], print)
    else:
        found = ThreadEngine(job) if request.param == "threads" else LocalEngine(search, (), make, "fork")
    yield found
    found.close()


@pytest.fixture
def start(engine: Any) -> Iterator[Start]:
    """Starts workers, which are stopped at the end."""
    started: list[Worker] = []

    def one(index: int) -> Worker:
        started.append(engine.start(index, "s", None))
        return started[-1]

    yield one
    for worker in started:
        worker.stop()


def states(worker: Worker) -> set[str]:
    return {name for name in (*STATES, "lost") if getattr(worker, name)()}


def messages(engine: Any, worker: Worker, least: int = 0) -> list[Message]:
    """What a worker asks until it has ended, or has asked so much."""
    found: list[Message] = []
    deadline = time.monotonic() + ENDED_SECONDS
    while worker.alive() and not (least and len(found) >= least):
        assert time.monotonic() < deadline, "it does not end"
        found += heard(engine, 0.1)
    return found


def heard(engine: Any, seconds: float) -> list[Message]:
    """The questions of workers. Whoever only says that it lives, or that it has ended, is answered as a desk does."""
    asked = engine.poll(seconds)
    for worker, message in asked:
        if message["ask"] != "which":
            engine.answer(worker, None)
    return [message for _, message in asked if message["ask"] == "which"]


def test_it_has_a_place(engine: Any) -> None:
    assert engine.places() >= 1


@pytest.mark.parametrize("index", range(len(STATES)), ids=STATES)
def test_a_worker_waits_to_begin_and_ends_in_one_way(engine: Any, start: Start, index: int) -> None:
    worker = start(index)
    assert worker.index == index and worker.key
    heard(engine, 0.2)
    assert not states(worker) and worker.code is None
    worker.go()
    assert messages(engine, worker) == []
    ways = {STATES[index], "failed"} if STATES[index] == "refused" else {STATES[index]}
    assert states(worker) == ways
    worker.stop()
    assert states(worker) == ways, "a worker that has ended stays as it was"
    again = start(index)
    assert again.index == index and again.key != worker.key


def test_a_worker_that_is_stopped_has_failed_and_says_nothing_more(engine: Any, start: Start) -> None:
    worker = start(SLEEPS)
    worker.go()
    deadline = time.monotonic() + ENDED_SECONDS
    while worker.waiting():
        assert time.monotonic() < deadline
        heard(engine, 0.1)
    assert worker.alive() and not states(worker) and worker.memory() >= 0
    worker.stop()
    assert not worker.alive() and states(worker) == {"failed"}
    assert engine.poll(0.2) == []


@pytest.mark.parametrize("engine", EVERYWHERE[1:], indirect=True, scope="module")
def test_a_message_comes_once_and_its_answer_goes_back(engine: Any, start: Start) -> None:
    worker = start(ASKS)
    worker.go()
    assert len(messages(engine, worker, 1)) == 1
    assert heard(engine, 0.2) == [], "it waits for its answer"
    engine.answer(worker, STATES.index("retired"))
    assert messages(engine, worker) == []
    assert states(worker) == {"retired"}


@pytest.mark.parametrize("engine", EVERYWHERE[1:], indirect=True, scope="module")
def test_a_stopped_worker_that_has_asked_is_not_heard(engine: Any, start: Start) -> None:
    worker = start(ASKS)
    worker.go()
    time.sleep(0.5)  # it may have asked by now
    worker.stop()
    assert engine.poll(0.5) == []
    engine.answer(worker, STATES.index("done"))
    assert states(worker) == {"failed"}
