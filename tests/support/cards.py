"""The content of an exported `model.json`, checked against the schema in docs/."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SCHEMA = Path(__file__).parents[2] / "docs" / "model.schema.json"


def checked_card(folder: Path) -> dict[str, Any]:
    """The card of an export; an AssertionError names what its schema does not allow."""
    card = dict(json.loads((folder / "model.json").read_text("utf-8")))
    schema = json.loads(SCHEMA.read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    wrong = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(card)]
    assert not wrong, "\n".join(wrong)
    return card
