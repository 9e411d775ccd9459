"""A backbone's name in; a record of what probes read off each of its levels out, kept beside runs and read again."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stan.common.files import write_json
from stan.common.paths import ASSETS
from stan.common.progress import Progress
from stan.evaluation.probe_targets import PROBES, STILLS
from stan.results import kept
from stan.results.provenance import provenance

FOLDER = "probes"
"""Name of the folder for these records; it is beside the studies in a folder of runs."""
SHIPPED = ASSETS
"""Root of the records that come with the package."""


def measure(
    backbone: str = "tiny",
    pretrained: str | None = None,
    stills: int = STILLS,
    attentive: bool = True,
    device: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return what `load_clip` loads, probed: backbone, pretrained, stills, date, provenance and `level_probes` as rows.

    Raises ValueError as `load_clip` does.
    """
    from stan.common.tensors import device_named
    from stan.evaluation.level_probes import level_probes
    from stan.models.backbones import load_clip

    target = device_named(device)
    clip = load_clip(backbone, pretrained).to(target).eval()
    rows = level_probes(clip, target, stills, attentive=attentive, progress=progress)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    facts = {"backbone": backbone, "pretrained": pretrained, "stills": stills, "date": now}
    return facts | {"levels": clip.layers + 1, "rows": rows} | provenance()


def keep(root: str | Path, record: dict[str, Any]) -> Path:
    """Write the record to `root`/probes/BACKBONE-PRETRAINED.json; an earlier one of the same weights is replaced."""
    file = Path(root) / FOLDER / f"{named(record)}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, record)
    return file


def named(record: dict[str, Any]) -> str:
    """Return the part of a file's name that tells whose levels these are."""
    name = "-".join(str(record[key]) for key in ("backbone", "pretrained") if record[key] is not None)
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)


def load(roots: Iterable[str | Path]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the records, the latest first, and the files that can't be read, as {"file", "reason"}."""
    return kept.load(roots, FOLDER, _check)


def _check(record: Any) -> None:
    """Raise ValueError, which says what isn't as `keep` writes it."""
    if not isinstance(record, dict) or not all(
        isinstance(record.get(key), str) for key in ("backbone", "date")
    ):
        raise ValueError("no record of probes: backbone or date is missing")
    rows = record.get("rows")
    if not isinstance(rows, list) or not rows or not all(map(_is_row, rows)):
        raise ValueError("`rows` are not rows with level, probe, target and score")


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("level"), int)
        and row.get("probe") in PROBES
        and isinstance(row.get("target"), str)
        and isinstance(row.get("score"), int | float)
    )
