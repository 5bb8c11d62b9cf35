"""A trial that continues a pruned one begins with the pruned trial's epochs and checkpoint."""

from experiments.config.folders import TrialFolder
from experiments.system.files import link


def take_over(folder: TrialFolder, earlier: TrialFolder) -> set[int]:
    """Gives a trial what the earlier one has; returns the epochs that its journal has then.

    A kill at any moment leaves a trial to which a second call gives the rest. The checkpoint comes last, because with
    it the trial is resumed. If the earlier trial has lost its checkpoint, the training begins again, with its seeds.
    """
    recorded = {event["epoch"] for event in folder.journal.events() if event["event"] == "epoch"}
    for event in earlier.journal.events():
        if event["event"] == "epoch" and event["epoch"] not in recorded:
            fields = {name: value for name, value in event.items() if name not in ("event", "time")}
            folder.journal.append("epoch", **fields)  # with the time of now, or the trial would count as hung
            recorded.add(event["epoch"])
    if not folder.checkpoint.exists() and earlier.checkpoint.exists():
        for file in [*earlier.path.glob("execution0-*"), earlier.checkpoint]:
            link(folder.path / file.name, file)
    return recorded
