"""Content in, a file written whole or not at all out; a file in, its settings or the hash of its content out."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, Literal, Protocol


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file as a whole: a reader sees the old or the new content, never a part, even after a crash."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write the values as indented JSON with `write_bytes`."""
    write_bytes(path, (json.dumps(values, indent=1, allow_nan=False) + "\n").encode())


def read_settings(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file that came with others. Raises ValueError, naming it, if there is none in it."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}): fetch it again, or take it away") from error
    if not isinstance(told, dict):
        raise ValueError(f"{path} holds no object of settings: fetch it again, or take it away")
    return told


class Readable(Protocol):
    """A file, wherever it lies."""

    def open(self, mode: Literal["rb"], /) -> BytesIO | BufferedReader: ...


def digest(path: Readable) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
