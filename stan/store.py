"""Rows of embedded videos in, the same rows and one scoring matrix out: a LanceDB table in a folder.

Letters: V videos, T frames, E embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa
import torch
from jaxtyping import Float

TABLE = "videos"
HALF_PRECISION_FROM = 200_000
"""From so many videos on the scoring matrix is kept in fp16: half the memory, scores right to about 1e-3."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """What is known of one video, embeddings aside."""

    id: str
    """Opaque: tells nothing of where the file lies."""
    path: str
    folder: str
    name: str
    """Path within `folder`."""
    size: int
    mtime_ns: int
    hash: str
    duration: float
    """Seconds."""


COLUMNS = [column.name for column in fields(Entry)]


@dataclass(frozen=True)
class Matrix:
    """All videos' embeddings, row by row beside what they belong to."""

    version: int
    entries: list[Entry]
    videos: Float[torch.Tensor, "V E"]


@dataclass(frozen=True)
class Maker:
    """The model that made a store's embeddings."""

    model: str
    frames: str
    """Frames per video."""
    signature: str
    """Hash of its weights and sampling."""


class Store:
    """The table at `path`; both are made by the first `write`."""

    def __init__(self, path: Path):
        if path.exists() and not path.is_dir():
            raise ValueError(f"{path} is a file: give a folder for the library, it is made if missing")
        self.path = path
        self._database: Any = None
        self._matrix = Matrix(-1, [], torch.zeros(0, 0))

    @property
    def maker(self) -> Maker | None:
        """None while nothing has been written."""
        table = self._table()
        if table is None:
            return None
        made = table.schema.metadata
        return Maker(*(made[field.name.encode()].decode() for field in fields(Maker)))

    def entries(self) -> list[Entry]:
        """All videos, by folder and name."""
        table = self._table()
        if table is None:
            return []
        rows = table.search().select(COLUMNS).to_arrow().to_pylist()
        return sorted((Entry(**row) for row in rows), key=lambda entry: (entry.folder, entry.name))

    def rows(self, ids: list[str], columns: list[str] | None = None) -> list[Row]:
        """Rows with these ids, in any order; ids that are not there are left out."""
        table = self._table()
        if table is None or not ids:
            return []
        query = table.search().where(_where(ids)).limit(len(ids))
        return (query.select(columns) if columns else query).to_arrow().to_pylist()

    def matrix(self) -> Matrix:
        """The scoring matrix, read again when the table has changed on disk."""
        table = self._table()
        if table is not None and table.version != self._matrix.version:
            rows = table.search().select([*COLUMNS, "video"]).to_arrow()
            flat = rows["video"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            videos = torch.from_numpy(flat.copy()).reshape(rows.num_rows, -1)
            if rows.num_rows >= HALF_PRECISION_FROM:
                videos = videos.half()
            entries = [Entry(**row) for row in rows.select(COLUMNS).to_pylist()]
            self._matrix = Matrix(table.version, entries, videos)
        return self._matrix

    def write(self, rows: list[Row], maker: Maker) -> None:
        """Adds rows, or replaces those with the same id, in one transaction."""
        table = self._table() or self._create(len(rows[0]["video"]), maker)
        new = pa.Table.from_pylist(rows, schema=table.schema)
        table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(new)

    def drop(self, ids: list[str]) -> None:
        """Removes these videos."""
        if ids:
            self._table().delete(_where(ids))

    def tidy(self) -> None:
        """Joins the small pieces that many writes leave behind."""
        table = self._table()
        if table is not None:
            table.optimize()

    def _table(self) -> Any:
        if self._database is None:
            if not self.path.is_dir():
                return None
            self._database = lancedb.connect(self.path)
        if TABLE not in self._database.list_tables().tables:
            return None
        return self._database.open_table(TABLE)

    def _create(self, width: int, maker: Maker) -> Any:
        self.path.mkdir(parents=True, exist_ok=True)
        self._database = lancedb.connect(self.path)
        return self._database.create_table(TABLE, schema=_schema(width, maker))


def is_id(text: str) -> bool:
    """Whether `text` has the form of a video's id: 16 hex digits."""
    return len(text) == 16 and all(character in "0123456789abcdef" for character in text)


def _where(ids: list[str]) -> str:
    assert all(map(is_id, ids)), "ids are hex digits, so that they need no quoting"
    return "id IN (" + ", ".join(f"'{id}'" for id in ids) + ")"


def _schema(width: int, maker: Maker) -> pa.Schema:
    types = dict.fromkeys(("id", "path", "folder", "name", "hash"), pa.string())
    types |= dict.fromkeys(("size", "mtime_ns"), pa.int64())
    types |= {"duration": pa.float64(), "times": pa.list_(pa.float32())}
    types |= {"video": pa.list_(pa.float32(), width), "frames": pa.list_(pa.float16())}
    return pa.schema([pa.field(name, kind) for name, kind in types.items()], metadata=vars(maker))
