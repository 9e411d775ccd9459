"""A video's path or address in; its entry, its id and the columns of its row in a library out.

Nothing here opens a library.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from stan.data.shards import split_path

LAYOUT = "3"
"""Version of the columns. A table with another version is refused."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """What the library knows about one video, apart from its embeddings."""

    id: str
    """An opaque id: it does not reveal where the file lies."""
    path: str
    folder: str
    """The folder that was indexed."""
    name: str
    """Path within `folder`."""
    size: int
    mtime_ns: int
    hash: str
    duration: float
    """Duration in seconds."""

    @property
    def date(self) -> dt.date:
        """Day of the file's last change, in local time."""
        return dt.datetime.fromtimestamp(self.mtime_ns / 1e9).date()

    @property
    def is_remote(self) -> bool:
        """True if the video is no file on this machine but at an address or in a shard: it is copied to be read."""
        return local_path(self.path) is None or split_path(self.path) is not None


COLUMNS = [column.name for column in fields(Entry)]
FACTS = "facts"
"""Column of what each file is and how it was read, as JSON. Tables of earlier versions lack it until they are written
to again, and rows that those versions wrote have none."""
PARTS = ("clip", "video")
"""Columns of the windows' embeddings: CLIP's and the whole model's."""


@dataclass(frozen=True)
class Maker:
    """The model and the settings that made a store's embeddings."""

    model: str
    frames: str
    """Frames per window."""
    window: str
    """Seconds that a window covers."""
    signature: str
    """Hash of the model's weights and of how it reads pixels."""
    layout: str = LAYOUT


def is_id(text: object) -> bool:
    """Return whether `text` has the form of a video's id: 16 hex digits."""
    return (
        isinstance(text, str)
        and len(text) == 16
        and all(character in "0123456789abcdef" for character in text)
    )


def id_of(path: str) -> str:
    """Return the opaque id of the video at a path or address."""
    return hashlib.sha256(path.encode()).hexdigest()[:16]


def local_path(address: str | Path) -> Path | None:
    """Return the local path of an address; None for object storage (`s3://`, `gs://`, `az://`, `memory://`)."""
    scheme, separator, _ = str(address).partition("://")
    if not separator or isinstance(address, Path):
        return Path(address)
    return Path(unquote(urlsplit(str(address)).path)) if scheme == "file" else None


def among(ids: list[str]) -> str:
    """Return the SQL condition that a row has one of these ids."""
    assert all(map(is_id, ids)), "ids are hex digits, so that they need no quoting"
    return "id IN (" + ", ".join(f"'{id}'" for id in ids) + ")" if ids else "false"


def schema_of(width: int, maker: Maker) -> pa.Schema:
    """Return the columns of a table of embeddings of `width` channels; who made them is its metadata."""
    types = dict.fromkeys(("id", "path", "folder", "name", "hash"), pa.string())
    types |= dict.fromkeys(("size", "mtime_ns", "windows"), pa.int64())
    types |= {"duration": pa.float64()}
    types |= dict.fromkeys(PARTS, pa.list_(pa.list_(pa.float32(), width)))
    types |= {"times": pa.list_(pa.float32())}
    types |= dict.fromkeys(("frame_clip", "frame_video"), pa.list_(pa.float16()))
    types |= {FACTS: pa.string()}
    return pa.schema([pa.field(name, kind) for name, kind in types.items()], metadata=vars(maker))
