"""Where the workers of a search run: on this machine, or on the nodes of a Ray cluster."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from experiments.config.units import NONE
from experiments.engines.local import LocalEngine
from experiments.launcher import settings
from experiments.launcher.crew import Crew
from experiments.system.devices import gpus
from experiments.tasks.base import Task
from experiments.tasks.loading.places import corpus_in, has_file, is_file
from experiments.worker.build import make_space
from experiments.worker.job import Job
from experiments.worker.process import MakeTuner
from tracking.errors import BadInput

ENGINES = ("local", "ray")
AUTO = "auto"


@dataclass(frozen=True)
class Where:
    """Where workers run.

    Args:
        workers: how many there are.
        address: of the head of a cluster; "" for this machine.
        grows: nodes that join the cluster get workers, too.
        per_gpu: how many workers share a GPU.
    """

    workers: int
    address: str = ""
    grows: bool = False
    per_gpu: int = 1

    def crew(
        self,
        folder: SearchFolder,
        make: MakeTuner,
        job: Callable[[], Job],
        oracle: Any,
        trials: int,
        warn: Callable[[str], None],
        native: bool = False,
    ) -> Crew:
        """What starts the workers of a search, and answers them.

        Args:
            folder: of the search, or of finals.
            make: makes the tuner of a worker on this machine.
            job: what a worker elsewhere gets.
            oracle: opens the study, or the plan of finals, in this process.
            trials: that are left.
            warn: shows a line to the user.
            native: the workers of this machine load the native kernels while they wait.
        """
        if not self.address:
            return Crew(LocalEngine(folder, gpus().used, make, per_gpu=self.per_gpu, native=native))
        from experiments.engines.desk import Desk
        from experiments.engines.ray import RayEngine

        engine = RayEngine(job(), self.address, warn, self.per_gpu)
        return Crew(engine, Desk(folder, oracle), trials if self.grows else 0)

    def limited(self, spec: Spec) -> Spec:
        """The spec with the memory limit of a worker. The automatic one is a share of this machine's memory.

        Ray itself watches the memory of its nodes.
        """
        return replace(spec, memory_limit=NONE) if self.address and spec.memory_limit == AUTO else spec


def where(engine: str, address: str | None, workers: str, per_gpu: str = "1") -> Where:
    """Checks --engine, --address, --workers and --workers-per-gpu, and connects to the cluster. Raises BadInput."""
    if engine not in ENGINES:
        raise BadInput(f"--engine: expected one of {', '.join(ENGINES)}, got {engine!r}")
    share = settings.whole_from_1("--workers-per-gpu", per_gpu)
    count = settings.workers(workers, share)
    if engine == "local":
        if address:
            raise BadInput(f"--address: expected none without --engine ray, got {address!r}")
        _check_share(share, len(gpus().used))
        return Where(count, per_gpu=share)
    from experiments.engines.cluster import check

    if not address:
        raise BadInput("--address: expected HOST:PORT of the head of a Ray cluster, got none; see docs/cluster.md")
    check(address)
    from experiments.engines import nodes

    nodes.connect(address, wait=workers == AUTO)
    _check_share(share, nodes.gpus())
    if workers == AUTO:
        return Where(nodes.places(share), address, True, share)
    return Where(count, address, per_gpu=share)


def _check_share(share: int, cards: int) -> None:
    """Raises BadInput if a GPU is to be shared and there is none."""
    if share > 1 and not cards:
        raise BadInput(f"--workers-per-gpu: expected 1 without a GPU, got {share}; `recurrent doctor` looks for GPUs")


def job_of(make: Any, folder: SearchFolder, code: Path, spec: Spec, task: Task, session: str) -> Job:
    """What all workers on other machines get: the spec, a user's code and data, and the plan of finals.

    Args:
        make: makes the tuner of a worker.
        folder: of the search, or of finals.
        code: the folder of a user's code.
        session: names the launcher.
    """
    own = {f"{code.name}/{name}": (code / name).read_bytes() for name in spec.code}
    own |= {path.name: path.read_bytes() for path in (folder.plan, folder.start) if path.exists()}
    files = {"task": spec.task} if is_file(spec.task) and not spec.code else {}
    corpus = corpus_in(type(task))
    if has_file(spec.options, corpus):
        files[corpus] = spec.options[corpus]
    data = {what: _read(Path(file)) for what, file in files.items()}
    return Job(spec.to_json(), session, make, own, data)


def _read(path: Path) -> tuple[str, dict[str, bytes]]:
    """The name of a user's file or folder, and the content of its files, as `Job` has them."""
    files = [path] if path.is_file() else [one for one in sorted(path.iterdir()) if one.is_file()]
    return path.name, {one.relative_to(path.parent).as_posix(): one.read_bytes() for one in files}


def opened(spec: Spec, task: Task, samples: int, make: Callable[[Any, Any], Any]) -> Any:
    """An oracle in this process, which has not imported Keras Tuner until then.

    Args:
        samples: of the training split.
        make: makes the oracle from the hyperparameters and the objective.
    """
    from experiments.system.imports import import_keras, keras_kept
    from experiments.system.quiet import quiet

    with quiet(), keras_kept():
        import_keras()
        _, hyperparameters, objective = make_space(spec, task, samples)
        return make(hyperparameters, objective)
