"""What a search is: everything that decides its trials, written once into its folder."""

import dataclasses
import json
from typing import Any

from experiments.config.folders import SearchFolder
from experiments.system.files import write_json
from experiments.system.versions import commit, versions
from tracking.errors import BadInput

LIMITS = ("time_limit", "target", "trial_time_limit", "memory_limit")
MAY_CHANGE = ("trials", "id", *LIMITS)  # on --resume; workers and the tracking URI are no part of the spec at all
STRATEGIES = ("random", "grid", "tpe")  # of --oracle
PRUNERS = ("none", "median", "halving", "hyperband")  # of --pruner
SCHEDULES = ("constant", "cosine")  # of --schedule


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spec:
    """The values of the command line; ranges stay as typed (see ranges.py)."""

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
    residual: str = "no"
    bidirectional: str = "no"
    batch: int = 64
    epochs: int = 10
    trials: int = 20
    executions: int = 1
    oracle: str = "tpe"
    pruner: str = "halving"
    patience: int = 0
    time_limit: str = "none"
    target: str = "none"
    trial_time_limit: str = "none"
    memory_limit: str = "auto"
    no_horizon: bool = False
    seed: int = 0
    digest: str = ""  # of the data, train and validation
    id: str = ""  # tells two searches of one name in two stores apart

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def facts(self) -> dict[str, Any]:
        """The spec together with what it was run with."""
        return {**self.to_json(), "versions": versions(), "commit": commit()}

    def write(self, folder: SearchFolder) -> None:
        write_json(folder.spec, self.facts())

    def changes(self, later: "Spec") -> dict[str, tuple[str, str]]:
        """What `later` has otherwise, by the words of the command line: (here, there)."""
        here, there = self._words(), later._words()
        return {what: (here[what], there.get(what, "")) for what in here if here[what] != there.get(what)}

    def _words(self) -> dict[str, str]:
        """Every value that may not change, in the words of the command line."""
        apart = (*MAY_CHANGE, "task", "options", "digest")
        fields = {key: value for key, value in self.to_json().items() if key not in apart}
        found = {f"--{key.replace('_', '-')}": value for key, value in fields.items()}
        found |= {f"-o {key}": value for key, value in self.options.items()} | {"data of digest": self.digest[:12]}
        return {key: ",".join(value) if isinstance(value, list) else str(value) for key, value in found.items()}

    @classmethod
    def read(cls, folder: SearchFolder) -> "Spec":
        try:
            content = json.loads(folder.spec.read_text("utf-8"))
        except ValueError as error:
            raise BadInput(f"{folder.spec}: expected the spec of a search, got a damaged file: {error}") from None
        return cls(**{field.name: content[field.name] for field in dataclasses.fields(cls) if field.name in content})
