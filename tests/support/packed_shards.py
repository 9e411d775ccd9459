"""Contents by name in; a tar file of them out, on disk or at an address."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

import fsspec


def pack(place: str, files: Iterable[tuple[str, bytes]]) -> bytes:
    """Write the files as a shard and return its bytes; names are taken as they are, and may stand twice."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    with fsspec.open(place, "wb") as file:
        file.write(buffer.getvalue())
    return buffer.getvalue()
