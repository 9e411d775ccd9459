"""Folders of runs in; the same folders in or out of a trash that lies beside the studies. Nothing is ever deleted.

The trash of `runs` is `runs/.trash/<time>/<study>/<row>/<config hash>-s<seed>`: what was put there at one time is
itself a folder of runs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from stan.results import archive, lock
from stan.results.marks import SUFFIX
from stan.results.record import read, run_folders

FOLDER = ".trash"
_TIME = "%Y%m%dT%H%M%S.%f"
"""Format of the name of what was put there at one time."""


def put(runs: Sequence[str | Path]) -> Path:
    """Move runs' folders, with their marks, into the trash of their root and return the place in the last one's trash.

    Raises ValueError, before anything is moved, for a run that is running, lies in an archive or isn't there.
    """
    folders = [Path(run) for run in runs]
    for folder in folders:
        _check(folder)
    when = datetime.now(UTC).strftime(_TIME)
    for folder in folders:
        place = folder.parents[2] / FOLDER / when
        taken = lock.acquire(folder)
        try:
            _move(folder, place)
        finally:
            lock.release(taken)
    return place


def content(root: str | Path) -> Iterator[tuple[Path, datetime | None]]:
    """Yield the folder of each run in the trash of `root` and when (UTC) it was put there, the last ones first.

    Nobody knows when for what lies in a folder that `put` didn't make.
    """
    for place in sorted((Path(root) / FOLDER).glob("*"), reverse=True):
        when = _when(place)
        yield from ((folder, when) for folder in run_folders(place))


def restore(run: str | Path) -> Path:
    """Move a run's folder out of the trash and return where it is now. Raises ValueError if there is a run already."""
    folder = Path(run)
    place, root = folder.parents[2], folder.parents[4]
    if place.parent.name != FOLDER or not folder.is_dir():
        raise ValueError(f"{folder} is no run in a trash")
    if (root / _id(folder)).exists():
        raise ValueError(f"{_id(folder)} was run again: put that run into the trash first")
    _move(folder, root)
    for emptied in folder.parents[:3]:
        with contextlib.suppress(OSError):  # not empty
            emptied.rmdir()
    return root / _id(folder)


def _check(folder: Path) -> None:
    if archive.archive_of(folder) is not None:
        raise ValueError(
            f"{_id(folder)} lies in the archive {archive.archive_of(folder)}, which is never changed"
        )
    if not folder.is_dir():
        raise ValueError(f"{folder} is not there any more")
    if read(folder)["status"] == "running" or lock.held(folder):
        raise ValueError(f"{_id(folder)} is running: stop it first")


def _move(folder: Path, root: Path) -> None:
    target = root / _id(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.rename(folder, target)
    with contextlib.suppress(FileNotFoundError):  # most runs have none
        os.rename(_marks(folder), _marks(target))


def _marks(folder: Path) -> Path:
    return folder.with_name(folder.name + SUFFIX)


def _when(place: Path) -> datetime | None:
    try:
        return datetime.strptime(place.name, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def _id(folder: Path) -> str:
    return "/".join(folder.parts[-3:])
