"""JSON that every program reads. Python writes NaN and Infinity, which JSON does not have."""

import json
import math
from typing import Any


def as_json(content: Any, indent: int | None = 1, **more: Any) -> str:
    """`content` as JSON text. A number that is not finite becomes null.

    Args:
        more: further arguments of `json.dumps`.
    """
    return json.dumps(_finite(content), indent=indent, allow_nan=False, **more)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
