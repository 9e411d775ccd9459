"""JSON text in, its values out; values of any kind in, the plain ones that JSON knows out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def from_json(text: str | bytes, **hooks: Any) -> Any:
    """Return the value in JSON text; hooks: those of `json.loads`.

    Raises ValueError for what is no JSON (or bytes that are no text), is nested too deeply, or has a number of
    thousands of digits.
    """
    try:
        return json.loads(text, **hooks)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def plain(value: Any) -> Any:
    """Convert to JSON values: numpy scalars to Python's own, paths to text, NaN and infinity to null."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
