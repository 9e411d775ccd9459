"""Content in, a file or folder written whole or not at all out; a file in, its settings or its content's hash out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, Literal, Protocol

from stan.common.json_values import from_json


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file as a whole: a reader sees the old or the new content, never a part, even after a crash.

    Where `path` is a link, the file that it leads to is replaced. Raises ValueError for a folder, a device or a pipe.
    """
    with _replacing(path) as part:
        part.write_bytes(content)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write the values as indented JSON with `write_bytes`."""
    write_bytes(path, (json.dumps(values, indent=1, allow_nan=False) + "\n").encode())


@contextmanager
def new_file(path: Path) -> Generator[Path]:
    """Yield a path beside `path` to write to; what was written replaces `path` when the context ends without an error.

    Folders on the way are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _replacing(path) as part:
        yield part


@contextmanager
def _replacing(path: Path) -> Generator[Path]:
    if path.is_symlink():
        path = path.resolve()
    if path.exists() and not path.is_file():  # a device or a pipe would become a file
        raise ValueError(f"{path} is no file that could be written anew: name another")
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Generator[Path]:
    """Yield an empty folder beside `path`, which becomes `path` when the context ends without an error.

    Raises ValueError, before anything is written, if something is there already.
    """
    if path.exists():
        raise ValueError(f"{path} is there already: name a new folder")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.mkdir(parents=True)
    try:
        yield part
        os.rename(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def read_text(path: Path) -> str:
    """Return the text in a file, without a byte order mark. Raises ValueError, naming it, if it isn't in UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is no UTF-8 text ({error.reason} at byte {error.start})") from error


def read_settings(path: Path) -> dict[str, Any]:
    """Return the JSON object, or YAML's mapping, in a file that came with others.

    Raises ValueError, naming it, if there is none in it.
    """
    kind, read = ("plain YAML", _from_yaml) if path.suffix == ".yaml" else ("JSON", from_json)
    try:
        told = read(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no {kind} ({error}): fetch it again, or take it away") from error
    if not isinstance(told, dict):
        raise ValueError(f"{path} holds no object of settings: fetch it again, or take it away")
    return told


def _from_yaml(text: str) -> Any:
    """Return the values in a YAML text. Raises ValueError if it is none, or asks for more than plain values."""
    import yaml  # late: few files need it

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


class Readable(Protocol):
    """A file, wherever it lies."""

    def open(self, mode: Literal["rb"], /) -> BytesIO | BufferedReader: ...


def digest(path: Readable) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
