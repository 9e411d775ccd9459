"""A small library's table in; a copy beside it out, which is read without opening the database.

A process takes longer to open LanceDB than most searches take. The copy is one Arrow file, mapped into memory. The
metadata of its schema record the state of the database's versions on disk when the copy was made. The copy is read only
while that state is the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import pyarrow as pa

from stan.common.files import new_file

FILE = "snapshot.arrow"
LARGEST = 256 << 20
"""Size in bytes above which no copy of a library is kept."""

_STATE, _VERSION = b"state", b"version"


def write(folder: Path, versions: Path, table: pa.Table, version: int) -> None:
    """Copy the whole `table` of the library in `folder`. No copy is left if it is too large or cannot be written.

    versions: the folder in which the database keeps a file for each of its versions.
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
    try:
        with (
            new_file(file) as part,
            pa.OSFile(str(part), "wb") as sink,
            pa.ipc.new_file(sink, table.schema.with_metadata(told)) as out,
        ):
            out.write_table(table.replace_schema_metadata(told))
    except OSError:  # the library itself is intact; it is only read more slowly
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def read(folder: Path, versions: Path) -> tuple[pa.Table, int] | None:
    """Return the table and its version; None if there is no copy or the database has changed since it was made."""
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
    """Return a text that changes whenever the database is written to."""
    try:
        with os.scandir(versions) as files:
            found = sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    except OSError:
        return "none"
    return hashlib.sha256(repr(found).encode()).hexdigest()
