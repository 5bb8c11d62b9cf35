"""The models on disk: those of the candidates that are the best in some way, or may become it."""

from collections.abc import Iterable

from experiments.config.folders import SearchFolder
from experiments.launcher.progress import TrialState
from tracking.ranking import Candidate, Preference, lasting


class Models:
    """Removes the models of trials as they end.

    Args:
        direction: of the score, min or max.
        wish: the search's --prefer.
    """

    def __init__(self, folder: SearchFolder, direction: str, wish: Preference | None) -> None:
        self.folder, self.direction, self.wish = folder, direction, wish
        self.kept: list[Candidate] = []

    def drop(self, ended: Iterable[TrialState]) -> None:
        """Removes the models of trials that `ended`, and of earlier ones, that will not be needed.

        Only trials with a model count. An earlier version has kept one model, perhaps not that of the best trial.
        """
        found = [trial for trial in ended if self.folder.trial(trial.number).model.exists()]
        scored = [trial.candidate for trial in found if trial.outcome == "completed" and trial.candidate]
        before, self.kept = self.kept, lasting([*self.kept, *scored], self.direction, self.wish)
        kept = {one.number for one in self.kept}
        for number in {one.number for one in before} | {trial.number for trial in found if trial.outcome}:
            if number not in kept:
                self.folder.trial(number).model.unlink(missing_ok=True)
