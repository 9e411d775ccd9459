"""A folder of rivals' reference outputs in, a record of the comparison with them out, as the package ships one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from stan.bench.parity import parity, report, sets
from stan.bench.parity.golden import CHECKPOINT, SETTINGS
from stan.models.layouts import recognise


def compared(folder: str | Path) -> dict[str, Any]:
    """Compare every set at or below a folder.

    The result is that of `report`, with {"date", "torch"}, and for each set {"repository", "commit", "layout": what
    `stan convert` calls the set's checkpoint, or None if it doesn't read it}. Raises the errors of `parity`.
    """
    found = report(parity(folder))
    places = {place.name: place for place in sets(folder)}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    described = [one | _origin(places[one["set"]]) for one in found["sets"]]
    return found | {"date": now, "torch": torch.__version__, "sets": described}


def _origin(folder: Path) -> dict[str, Any]:
    settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    source = settings["source"]
    if isinstance(source, str):
        source = {"repository": source, "commit": settings["commit"]}
    with safe_open(folder / CHECKPOINT, "pt") as checkpoint:
        names = list(checkpoint.keys())
    return {
        "repository": source["repository"],
        "commit": source["commit"],
        "layout": _layout(names, settings),
    }


def _layout(names: list[str], settings: dict[str, Any]) -> str | None:
    try:
        return recognise(names, settings).words
    except ValueError:
        return None
