"""What a search is: everything that decides its trials. It is kept in the search's folder."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from experiments.config.folders import SearchFolder
from experiments.config.units import MOST
from experiments.system.files import write_json
from experiments.system.imports import SETTINGS
from experiments.system.versions import commit, versions
from tracking.errors import BadInput
from tracking.tags import LIMITS

# What may change on --resume. The workers and the tracking URI may change, too; they are not in the spec.
MAY_CHANGE = ("trials", "prefer", "record", "finals", "id", *LIMITS)
UNLIMITED = MOST - 1  # trials of a search that fills its time limit with them
FOUND = ("reading", "digest", "code", "id")  # fields of a spec that nobody types: they are found out
STRATEGIES = ("random", "grid", "tpe")  # of --oracle
ALLOCATIONS = ("fair", "equal", "best")  # of --allocate
PRUNERS = ("none", "median", "halving", "hyperband")  # of --pruner
FIRST = 3  # epochs that every trial gets before a pruner judges it
REDUCTION = 3  # one in REDUCTION trials of a rung goes on to the next rung, which has REDUCTION times the epochs
RANDOM_TRIALS = 10  # trials that TPE draws at random before its first estimate
MEDIAN_STARTUP = 5  # completed trials that the median needs before it prunes
# Of a new search on sources and targets. CMUdict takes 0.60 of the time with 3, and 0.56 with 4, but then XLA compiles
# for 2 s longer in each trial.
BUCKETS = 3
# Of a new search on a task with embeddings. Keras' own are so small that a model of words learns little more than how
# frequent they are: experiments/RESULTS.md has the scores.
EMBEDDING_SPREAD = "1"
SCHEDULES = ("constant", "cosine")  # of --schedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spec:
    """The values of the command line. Ranges stay as typed (see ranges.py)."""

    name: str
    task: str
    options: dict[str, str]
    cells: list[str]
    depth: str = "1:3"
    width: str = "16:128"
    mixed: bool = False
    learning_rate: str = "1e-4:1e-2"
    schedule: str = "constant"
    dropout: str = "0"
    recipe: bool = False
    init: str = "default"
    bias: str = "default"
    clip: str = "1"
    optimizer: str = "adam"
    momentum: str = "0"
    memory: str = "128x20"  # of a cell that has one
    controller: str = "feed-forward"  # of the memory
    residual: str = "no"
    bidirectional: str = "no"
    embedding_spread: str = "default"  # that of RecurrentSpace
    attention: str = "none"  # of an encoder and a decoder; a new search on such a task has "none,dot"
    kernel: str = "auto"
    batch: int = 64
    buckets: int = 1  # lengths that batches are cut to; 1: none is cut
    epochs: int = 10
    trials: int = 20
    executions: int = 1
    oracle: str = "tpe"
    allocate: str = "best"  # that of an earlier version; a new search has "fair", a grid "all"
    pruner: str = "halving"
    patience: int = 0
    prefer: str = "none"  # which of the good candidates is handed over; see tracking/ranking.py
    record: str = "all"  # which trials have their curves in MLflow; see tracking/recording.py
    time_limit: str = "none"
    target: str = "none"
    trial_time_limit: str = "none"
    memory_limit: str = "auto"
    finals: int = 0  # candidates of each cell that are trained again at the end; see config/finals.py
    finals_time_limit: str = "none"
    no_horizon: bool = False
    seed: int = 0
    reading: int = 1  # how a user's data and lines are read (tasks/base.py); a spec without it is of an earlier version
    digest: str = ""  # of the train and validation data
    code: dict[str, str] = dataclasses.field(default_factory=dict)  # sha256 of each file of a user's task
    id: str = ""  # is different for two searches of the same name, for example in two stores

    @property
    def budget(self) -> str:
        """The time that the search fills with trials; "" if its trials are counted."""
        return self.time_limit if self.trials == UNLIMITED and self.time_limit != "none" else ""

    @property
    def finished_cells(self) -> list[str]:
        """The cells that each end with a candidate that is trained to the end; see strategy/continuations.py."""
        return [] if self.allocate == "best" else self.cells

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def facts(self) -> dict[str, Any]:
        """The spec, with the versions, the commit, the settings of Keras and the machine that it is run with."""
        from experiments.system.resources import machine  # it imports psutil, which help texts do without

        about = {"versions": versions(), "commit": commit(), "keras": SETTINGS, "machine": machine()}
        return {**self.to_json(), **about}

    def write(self, folder: SearchFolder) -> None:
        write_json(folder.spec, self.facts())

    def changes(self, later: "Spec", corpus: str = "") -> dict[str, tuple[str, str]]:
        """The values that differ in `later`, by their flags: (the value here, the value there)."""
        here, there = self.typed(corpus), later.typed(corpus)
        return {what: (here[what], there.get(what, "")) for what in here if here[what] != there.get(what)}

    def typed(self, corpus: str = "") -> dict[str, str]:
        """Every value that may not change, as it would be typed on the command line.

        Args:
            corpus: the option of the task that names a text. The digest tells a file of the user's.
        """
        from experiments.tasks.loading.places import has_file  # it imports NumPy, which help texts do without

        apart = (*MAY_CHANGE, "task", "options", "digest", "code")
        fields = {key: value for key, value in self.to_json().items() if key not in apart}
        found = {f"--{key.replace('_', '-')}": value for key, value in fields.items()}
        options = {**self.options, **({corpus: "a file"} if has_file(self.options, corpus) else {})}
        found |= {f"-o {key}": value for key, value in options.items()} | {"data of digest": self.digest[:12]}
        return {key: ",".join(value) if isinstance(value, list) else str(value) for key, value in found.items()}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Spec":
        """The spec in a file or in a record, which has more than the fields. A field that it lacks has its default."""
        return cls(**{field.name: content[field.name] for field in dataclasses.fields(cls) if field.name in content})

    @classmethod
    def read(cls, folder: SearchFolder) -> "Spec":
        try:
            content = dict(json.loads(folder.spec.read_text("utf-8")))
            for field in dataclasses.fields(cls):  # somebody may have edited the file
                kind, value = type(field.default), content.get(field.name, field.default)
                if kind in (int, str, bool) and type(value) is not kind:
                    raise TypeError(f"{field.name} is {value!r}")
            return cls.of(content)
        except (ValueError, TypeError) as error:
            raise BadInput(f"{folder.spec}: expected the spec of a search, got a damaged file: {error}") from None
