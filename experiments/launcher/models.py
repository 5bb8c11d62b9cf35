"""The models on disk. Only the model of the best trial is kept."""

from experiments.config.folders import SearchFolder
from experiments.launcher.progress import Progress, TrialState


class Models:
    """Removes the models of trials as they end."""

    def __init__(self, folder: SearchFolder, progress: Progress) -> None:
        self.folder, self.progress = folder, progress
        self.kept: TrialState | None = None

    def drop(self, ended: list[TrialState]) -> None:
        """Removes the models of the trials in `ended` and of the former best trial, except the best trial's."""
        best = self.progress.best()
        for trial in (*ended, *filter(None, [self.kept])):
            if best is not None and trial.outcome == "completed" and trial.number != best.number:
                self.folder.trial(trial.number).model.unlink(missing_ok=True)
        self.kept = best
