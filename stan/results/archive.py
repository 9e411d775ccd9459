"""A run's folder and a file's name in; the file's content out, whether the folder is on disk or in an archive.

An archive is one zip file that holds folders of runs as a root does: `runs.zip/<study>/<row>/<hash>-s<seed>/...`. A
path that leads into an archive is read like any other. Nothing is ever extracted, and only `pack` writes archives.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from stan.common.files import write_bytes

SUFFIX = ".zip"
LARGEST = 64 << 20
"""Most bytes of an unpacked file from an archive. There is a limit because an archive may come from anywhere."""

DOCUMENTS = ("config.json", "run.json", "eval.json", "ranks.npz")
LOG = "metrics.jsonl"
EVERY = 25
"""An archive keeps every 25th step of a log, its last step, and all validations."""
DIGITS = 5
"""Significant digits of a kept step's loss, rate and clock."""

Stamp = tuple[int, int, int]
"""A file's time of change in nanoseconds, its size in bytes, and its inode number."""


class _Opened(NamedTuple):
    zip: zipfile.ZipFile
    names: frozenset[str]


def read_bytes(run: Path, name: str) -> bytes:
    """Return the content of a run's file. Raises FileNotFoundError if it is missing.

    Raises ValueError if the archive is damaged, or the file in it is larger than LARGEST.
    """
    archive = archive_of(run)
    if archive is None:
        return (run / name).read_bytes()
    inner = f"{run.relative_to(archive).as_posix()}/{name}"
    opened = _open(archive)
    if inner not in opened.names:
        raise FileNotFoundError(f"{run / name} is missing")
    if opened.zip.getinfo(inner).file_size > LARGEST:
        raise ValueError(f"{name} is larger than {LARGEST >> 20} MiB: that is no record")
    try:
        return opened.zip.read(inner)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{archive}: {name} can't be read ({error})") from error


def stamp(run: Path, name: str) -> Stamp | None:
    """Return a value that differs whenever a run's file has changed; None if the file isn't there."""
    archive = archive_of(run)
    if archive is None:
        return _stamp(f"{run}/{name}")
    there = f"{run.relative_to(archive).as_posix()}/{name}" in _open(archive).names
    return _stamp(str(archive)) if there else None


def folders(root: Path) -> Iterator[Path]:
    """Yield every folder three levels below a root, sorted by name; nothing if there is no root."""
    archive = archive_of(root)
    if archive is None:
        yield from sorted(root.glob("*/*/*"))
        return
    depth = len(root.relative_to(archive).parts) + 3
    below = {tuple(name.split("/")[:depth]) for name in _open(archive).names if name.count("/") >= depth}
    yield from sorted(archive.joinpath(*parts) for parts in below)


def archive_of(path: Path) -> Path | None:
    """Return the archive that a path leads into; None for a path of ordinary folders."""
    if f"{SUFFIX}{os.sep}" not in f"{path}{os.sep}":  # a quick answer, as there may be thousands of folders
        return None
    inside = (place for place in (path, *path.parents) if place.suffix == SUFFIX and place.is_file())
    return next(inside, None)


def pack(runs: list[Path], file: Path) -> None:
    """Write runs into an archive: documents, ranks, time probes and thinned logs, but no weights and no notebooks.

    Equal runs give equal bytes.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for run in sorted(runs, key=lambda run: run.parts[-3:]):
            names = [name for name in (*DOCUMENTS, LOG, "time_probe.json") if stamp(run, name) is not None]
            for name in names:
                content = read_bytes(run, name)
                if name == LOG:
                    content = _thinned(content)
                entry = zipfile.ZipInfo(
                    "/".join((*run.parts[-3:], name))
                )  # dated 1980: equal runs, equal bytes
                made.writestr(entry, content, zipfile.ZIP_DEFLATED)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, buffer.getvalue())


def _thinned(log: bytes) -> bytes:
    lines = [(line, json.loads(line)) for line in log.splitlines()]
    steps = [values["step"] for _, values in lines if "loss" in values]
    kept = []
    for line, values in lines:
        if "loss" not in values:
            kept.append(line)
        elif values["step"] % EVERY == 0 or values["step"] == steps[-1]:
            kept.append(_rounded(values))
    return b"".join(line + b"\n" for line in kept)


def _rounded(step: dict[str, Any]) -> bytes:
    rounded = {
        name: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
        for name, value in step.items()
    }
    return json.dumps(rounded).encode()


def _open(archive: Path) -> _Opened:
    found = _stamp(str(archive))
    return _open_at(archive, found)


@lru_cache(maxsize=8)
def _open_at(archive: Path, stamp: Stamp | None) -> _Opened:
    """Open an archive from memory, so that no open file is shared with forked processes. stamp: key of the cache."""
    try:
        opened = zipfile.ZipFile(io.BytesIO(archive.read_bytes()))
    except zipfile.BadZipFile as error:
        raise ValueError(f"{archive} is no archive of runs: {error}") from error
    return _Opened(opened, frozenset(opened.namelist()))


def _stamp(file: str) -> Stamp | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
