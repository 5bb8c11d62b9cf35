"""How workers end, and what their launcher does then."""

import os
import sys
from pathlib import Path
from typing import Any

from keras_tuner.engine.trial import Trial
from test_kill import FakeTuner, make_fake, make_spec

from experiments.folders import SearchFolder, TrialFolder
from experiments.search import Search
from experiments.spec import Spec

TRIALS = 4


class LeavingTuner(FakeTuner):
    """Two of its trials end their process as if all were well."""

    def run_execution(self, trial: Trial, folder: TrialFolder, execution: int) -> dict[str, Any]:
        if folder.number == 1:
            sys.exit(0)
        if folder.number == 2:
            os._exit(0)
        return super().run_execution(trial, folder, execution)


def make_leaving(search: SearchFolder, spec: Spec, index: int, session: str) -> FakeTuner:
    fake = make_fake(search, spec, index, session)
    return LeavingTuner(fake.oracle, fake.hypermodel, 1, index)


def test_a_trial_that_ends_its_process_well_does_not_end_the_search(tmp_path: Path) -> None:
    search = SearchFolder(tmp_path)
    make_spec(trials=TRIALS).write(search)
    assert Search(search, 1, [], make_leaving, "fork").run(lambda session: None, lambda: None) == "done"
    ends = [trial.journal.events()[-1] for trial in search.trials()]
    assert [end["outcome"] for end in ends] == ["completed", "failed", "failed", "completed"]
    assert [ends[number]["reason"] for number in (1, 2)] == ["killed its worker 3 times"] * 2
