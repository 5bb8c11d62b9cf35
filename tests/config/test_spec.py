"""What of a search is written down, and what --resume may change of it."""

import dataclasses
import json
from pathlib import Path

from support.fakes import make_spec

from experiments.config.folders import SearchFolder
from experiments.config.spec import Spec
from tracking.searches import CHANGING


def test_a_preference_is_written_down_and_may_change(tmp_path: Path) -> None:
    """It decides nothing of the trials. A spec of an earlier version has none."""
    folder, spec = SearchFolder(tmp_path), make_spec(prefer="small:2%")
    spec.write(folder)
    assert Spec.read(folder) == spec
    assert spec.changes(dataclasses.replace(spec, prefer="fast:5%")) == {}
    assert "prefer" in CHANGING, "it is a tag, since MLflow's parameters are fixed"
    content = json.loads(folder.spec.read_text("utf-8"))
    assert content.pop("prefer") == "small:2%"
    folder.spec.write_text(json.dumps(content), "utf-8")
    assert Spec.read(folder).prefer == "none"
