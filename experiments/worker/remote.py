"""A worker that cannot reach the folder of the search: it asks the desk of the launcher for all that it needs.

It keeps a folder of its own for its trials. When it writes a line into a journal, the line and the files that have
changed go to the desk, and it goes on when the desk has them on its disk. So a worker that is lost at any moment has
lost what it had not yet sent, and another one goes on from there.
"""

import dataclasses
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from experiments.config.finals import Final, Plan
from experiments.config.folders import SearchFolder, TrialFolder
from experiments.worker.job import Ask
from tracking.as_json import as_json
from tracking.journal import Event, Journal
from tracking.ranking import Candidate

NOT_SENT = ("lock", "journal.jsonl")  # files of a trial that the desk does not get


class SentJournal(Journal):
    """The journal of a trial whose lines go to the desk. Here they stand, too, as the desk has written them.

    Args:
        folder: of the trial.
        ask: asks the desk.
    """

    def __init__(self, folder: Path, ask: Ask) -> None:
        super().__init__(folder / "journal.jsonl")
        self.folder, self.ask = folder, ask
        self.sent: dict[str, Mark] = {}  # what the desk has, by the name of the file

    def write(self, event: str, fields: dict[str, Any], wait: bool = True) -> Event:
        files = changes(self.folder, self.sent)
        line: Event = self.ask({"ask": "commit", "event": event, "fields": fields, "files": files})
        with self.path.open("ab") as file:  # no fsync: the desk's copy is the one that counts
            file.write(as_json(line, indent=None).encode() + b"\n")
        return line

    def repair(self) -> None:
        """Does nothing: the desk repairs its copy before it sends it."""


class RemoteOracle(keras_tuner.Oracle):
    """Answers Keras Tuner's calls by asking the desk.

    Args:
        folder: of this worker, for the files of its trials.
        ask: asks the desk.
        objective: name and direction of the score.
        hyperparameters: the space.
        session: names the launcher.
        prunes: the search has a pruner, which the desk asks.
    """

    def __init__(
        self,
        folder: SearchFolder,
        ask: Ask,
        objective: keras_tuner.Objective,
        hyperparameters: keras_tuner.HyperParameters,
        session: str,
        prunes: bool = True,
    ) -> None:
        super().__init__(objective=objective, hyperparameters=hyperparameters)
        self.verbose, self.folder, self.ask, self.session, self.prunes = 0, folder, ask, session, prunes
        self.claimed: dict[str, TrialFolder] = {}  # the trial that this worker runs, by its id
        self.earlier: TrialFolder | None = None  # the pruned trial that it continues

    def create_trial(self, tuner_id: str) -> Trial:
        """The next trial. Its status is STOPPED if no trial is left."""
        found = self.ask({"ask": "trial"})
        if found is None:
            return Trial(self.get_space(), trial_id="none", status=TrialStatus.STOPPED)
        folder = self._received(found["trial"], found["files"])
        folder.journal = SentJournal(folder.path, self.ask)
        folder.journal.sent = marks(folder.path)
        self.claimed = {found["trial"]: folder}
        self.earlier = self._received(found["continues"], found["earlier"]) if "continues" in found else None
        hyperparameters = self.get_space()
        hyperparameters.values = dict(found["values"])
        self.trials = {found["trial"]: Trial(hyperparameters, trial_id=found["trial"], status=TrialStatus.RUNNING)}
        return self.trials[found["trial"]]

    def _received(self, name: str, files: dict[str, bytes]) -> TrialFolder:
        """The folder of a trial, with the files that the desk has sent."""
        folder = TrialFolder(self.folder.path / "trials" / name)
        folder.path.mkdir(parents=True, exist_ok=True)
        for path in folder.path.iterdir():
            path.unlink()
        for file, content in files.items():
            (folder.path / file).write_bytes(content)
        return folder

    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Trial:
        """Does nothing: the desk takes the score from the line of the epoch."""
        return self.trials[trial_id]

    def should_prune(self, trial_id: str) -> bool:
        return self.prunes and bool(self.ask({"ask": "prune"}))

    def continued(self, trial_id: str) -> TrialFolder | None:
        """The folder of the pruned trial that a trial continues, or None."""
        return self.earlier

    def may_win(self, candidate: Candidate) -> bool:
        return bool(self.ask({"ask": "wins", "candidate": dataclasses.asdict(candidate)}))

    def end_trial(self, trial: Trial) -> None:
        """Tells the desk that the journal of the trial has its end, and removes the files here."""
        self.ask({"ask": "end"})
        folder = self.claimed.pop(trial.trial_id)
        trial.score = folder.journal.events()[-1].get("score")
        for path in folder.path.iterdir():
            path.unlink()

    def save(self) -> None:
        """Does nothing: the desk has the whole state."""

    def reload(self) -> None:
        """Does nothing: the desk has the whole state."""


class RemoteFinalsOracle(RemoteOracle):
    """A remote oracle of finals. It has their plan, which says what each of them is."""

    def __init__(self, plan: Plan, *how: Any) -> None:
        super().__init__(*how)
        self.plan, self.prunes = plan, False

    def final(self, trial_id: str) -> Final:
        return self.plan.finals[int(trial_id)]


Mark = tuple[int, int, int]  # number, time and size of a file; another content has another mark


def marks(folder: Path) -> dict[str, Mark]:
    """The marks of the files of a trial, by name."""
    found = {}
    for path in folder.iterdir():
        if path.name not in NOT_SENT and not path.name.startswith("new-"):
            status = path.stat()
            found[path.name] = status.st_ino, status.st_mtime_ns, status.st_size
    return found


def changes(folder: Path, sent: dict[str, Mark]) -> dict[str, Any]:
    """The files that have changed since they were sent; `sent` is brought up to date.

    Returns by name the bytes of a file, the name of another file with the same bytes, or None for a file that is gone.
    The checkpoint comes last: when the desk has it, the desk has the weights that it speaks of.
    """
    now = marks(folder)
    found: dict[str, Any] = {}
    contents = {mark[0]: name for name, mark in sent.items() if now.get(name) == mark}  # the desk has these, by number
    for name in sorted(now, key=lambda name: (name.startswith("checkpoint"), name)):
        if sent.get(name) != now[name]:
            found[name] = contents.get(now[name][0]) or (folder / name).read_bytes()
            contents[now[name][0]] = name
    found |= dict.fromkeys(set(sent) - set(now))
    sent.clear()
    sent.update(now)
    return found
