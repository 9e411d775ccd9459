"""A small library's table in; a copy beside it, which is read without opening the database, out.

Opening LanceDB takes a process longer than most searches. The copy is one Arrow file, mapped into memory. Its schema's
metadata keep what the database's versions on disk looked like when it was made; it is read only while they still do.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import pyarrow as pa

FILE = "snapshot.arrow"
LARGEST = 256 << 20
"""Bytes: of a larger library no copy is kept."""

_STATE, _VERSION = b"state", b"version"


def write(folder: Path, versions: Path, table: pa.Table, version: int) -> None:
    """Copies the whole `table` of the library in `folder`; none is left where it is too large or finds no room.

    versions: folder in which the database keeps a file for each of its versions.
    """
    file = folder / FILE
    if table.nbytes > LARGEST:
        file.unlink(missing_ok=True)
        return
    told = {
        **(table.schema.metadata or {}),
        _STATE: _state(versions).encode(),
        _VERSION: str(version).encode(),
    }
    part = folder / f".{FILE}.{os.getpid()}.part"
    try:
        with (
            pa.OSFile(str(part), "wb") as sink,
            pa.ipc.new_file(sink, table.schema.with_metadata(told)) as out,
        ):
            out.write_table(table.replace_schema_metadata(told))
        os.replace(part, file)
    except OSError:  # the library stands; it is only read more slowly
        for one in (part, file):
            with contextlib.suppress(OSError):
                one.unlink(missing_ok=True)


def read(folder: Path, versions: Path) -> tuple[pa.Table, int] | None:
    """The table and its version; None where there is no copy, or it is not that of the database any more."""
    try:
        with pa.memory_map(str(folder / FILE)) as source:
            table = pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowInvalid):
        return None
    told = table.schema.metadata or {}
    if told.get(_STATE, b"").decode() != _state(versions):
        return None
    return table, int(told[_VERSION])


def _state(versions: Path) -> str:
    """Another text whenever the database has been written to."""
    try:
        with os.scandir(versions) as files:
            found = sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    except OSError:
        return "none"
    return hashlib.sha256(repr(found).encode()).hexdigest()
