"""The finals of a search: which candidates are trained again, and from which fresh seeds.

They lie in `searches/NAME/finals/`, a folder like that of a search: it has its own spec, journals and locks, and in
`trials/0000`, `trials/0001`, … the finals by their numbers. `plan.json` says which candidate and seed a number means.
A trial that is trained further has a folder of the same form, for example `searches/NAME/trained-0003-20-weights/`.
"""

import dataclasses
import json
from typing import Any

import numpy as np

from experiments.config.folders import SearchFolder
from experiments.system.files import write_json
from tracking.errors import BadInput, SearchStateError

FINAL_SEEDS = 3  # spawn key; data have 0, training 1, proposals 2
WHOLE = "train+val"  # of --data: the training and validation data together
TOP, SEEDS = 1, 5  # the defaults of --top and --seeds
MOST_SEEDS = 1_000
WEIGHTS, ANEW = STARTS = "weights", "anew"  # of --from


@dataclasses.dataclass(frozen=True)
class Final:
    """A candidate that is trained again from a fresh seed.

    Args:
        candidate: the name of its trial, for example "0003".
        seed: counted from 0. A seed stands for the same data with every candidate, so that differences are paired.
        epochs: so many epochs on the training and validation data together; None for a final as all others are.
    """

    candidate: str
    seed: int
    epochs: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What the finals of a search are.

    Args:
        top: candidates of each cell.
        seeds: of each candidate.
        epochs: of one training.
        lengths: factors of the task's length at which the models are scored, too.
        finals: by their numbers. A seed of all candidates comes before the next seed.
        values: of the hyperparameters of each candidate, by its name.
        start: of a trial that is trained further: "weights", those of its model, or "anew"; "" for finals.
    """

    top: int
    seeds: int
    epochs: int
    lengths: list[int]
    finals: list[Final]
    values: dict[str, dict[str, Any]]
    start: str = ""

    def grown(self, top: int, seeds: int, values: dict[str, dict[str, Any]]) -> "Plan":
        """The plan with more seeds and candidates. Finals keep their numbers."""
        everything = {**self.values, **values}
        wanted = [Final(candidate, seed) for seed in range(seeds) for candidate in everything]
        known = set(self.finals)
        more = [final for final in wanted if final not in known]
        return dataclasses.replace(self, top=top, seeds=seeds, finals=[*self.finals, *more], values=everything)

    def write(self, folder: SearchFolder) -> None:
        """Writes the plan into the folder of the finals."""
        folder.path.mkdir(exist_ok=True)
        write_json(folder.plan, dataclasses.asdict(self))

    @property
    def regular(self) -> int:
        """How many finals are trained on the training data alone."""
        return sum(final.epochs is None for final in self.finals)

    def with_whole(self, candidate: str, seed: int, epochs: int) -> "Plan":
        """The plan with a final that is trained on the training and validation data."""
        final = Final(candidate, seed, epochs)
        return self if final in self.finals else dataclasses.replace(self, finals=[*self.finals, final])

    @classmethod
    def read(cls, folder: SearchFolder) -> "Plan | None":
        """The plan in the folder of the finals; None if there is none. Raises SearchStateError for a damaged file."""
        if not folder.plan.exists():
            return None
        try:
            content = json.loads(folder.plan.read_text("utf-8"))
            return cls(**{**content, "finals": [Final(**final) for final in content["finals"]]})
        except (ValueError, TypeError, KeyError) as error:
            raise SearchStateError(f"{folder.plan}: expected the plan of finals, got a damaged file: {error}") from None


def final_seed(seed: int, index: int) -> int:
    """The seed of data and training of a final.

    Args:
        seed: of the search.
        index: of the final's seed, from 0.
    """
    return int(np.random.SeedSequence(seed, spawn_key=(FINAL_SEEDS, index)).generate_state(1)[0])


def training_name(trial: str, epochs: int, start: str) -> str:
    """What the training of a trial for more epochs is called, for example "0003-20-weights"."""
    return f"{trial}-{epochs}-{start}"


def plan(before: Plan | None, values: dict[str, dict[str, Any]], epochs: int, wanted: dict[str, Any]) -> Plan:
    """The plan of a call of `recurrent finals`. Finals that are known keep their numbers.

    Args:
        before: the plan of earlier calls, or None.
        values: of the candidates, by name.
        epochs: of the search.
        wanted: top, seeds, epochs, lengths and start as the user gives them; None for what is not given.

    Raises BadInput if the finals have begun with other epochs or lengths, or with more candidates or seeds.
    """
    given = {name: value for name, value in wanted.items() if value is not None}
    if (seeds := given.get("seeds", 0)) > MOST_SEEDS:
        raise BadInput(f"--seeds: expected at most {MOST_SEEDS:,}, got {seeds:,}")
    if before is None:
        how = {"epochs": given.get("epochs", epochs), "lengths": given.get("lengths", [])}
        how |= {"start": given.get("start", "")}
        start = Plan(top=0, seeds=0, finals=[], values={}, **how)
        return start.grown(given.get("top", TOP), given.get("seeds", SEEDS), values)
    for name, value in given.items():
        had, grows = getattr(before, name), name in ("top", "seeds")
        if value < had if grows else value != had:
            expected = f"{had} or more, as an earlier call had" if grows else f"{_typed(had)}, as an earlier call had"
            raise BadInput(f"--{name}: expected {expected}, got {_typed(value)}")
    return before.grown(given.get("top", before.top), given.get("seeds", before.seeds), values)


def _typed(value: Any) -> str:
    return (",".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
