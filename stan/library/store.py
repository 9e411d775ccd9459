"""Rows of embedded videos in, the same rows out, kept in a LanceDB table in a folder or on object storage.

Each video is one row. A row is written or replaced in one transaction, so a reader sees a video completely or not at
all.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock, Timeout
from jaxtyping import Float

from stan.library import snapshot
from stan.library.entries import (
    COLUMNS,
    FACTS,
    LAYOUT,
    PARTS,
    Entry,
    Maker,
    Row,
    among,
    local_path,
    schema_of,
)

TABLE = "videos"
LOCK = ".writing"
"""Lock file of the process that writes. The system frees the lock when that process ends, even if it is killed."""
WRITES_PER_TIDY = 100
"""Number of writes after which the table is tidied. Each write adds a small file and a version, which makes the next
write slower (18 ms at first, 35 ms after 400)."""
KEEP_VERSIONS = dt.timedelta(minutes=10)
"""Tidying removes versions older than this. A reader that began with one of them has long finished."""

EXACT_UP_TO = 1_000_000
"""Number of windows up to which every query is scored against all of them. In a larger library, it is scored against
candidates from an index on disk."""
PARTS_PROBED = 50
"""Number of partitions of that index that a query searches."""


class Busy(ValueError):
    """Raised if another process is writing to the library."""


class Store:
    """The table at `address`, which is a folder or an address of object storage. `create` makes the table.

    Raises ValueError for an address that is a file.
    """

    def __init__(self, address: str | Path):
        self.path = local_path(address)
        if self.path is not None and self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{self.path} is a file: give a folder for the library, it is made if missing")
        self.address = str(self.path or address)
        self._database: Any = None
        self._opened: Any = None
        self._writes = 0

    @property
    def maker(self) -> Maker | None:
        """The embeddings' maker; None if nothing is written yet. Raises ValueError for a table of another layout."""
        schema = self._schema
        if schema is None:
            return None
        made = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
        if made.get("layout") != LAYOUT:
            raise ValueError(
                f"the library {self.address} was made by another version of stan, which kept other columns: index"
                " its folders into a new library, then remove this one"
            )
        return Maker(**{field.name: made[field.name] for field in fields(Maker)})

    @property
    def width(self) -> int | None:
        """Number of channels of the embeddings; None while there is no table."""
        schema = self._schema
        return None if schema is None else schema.field(PARTS[0]).type.value_type.list_size

    @property
    def has_facts(self) -> bool:
        """Whether the table has the column `FACTS`."""
        schema = self._schema
        return schema is not None and FACTS in schema.names

    @property
    def version(self) -> int:
        """A number that rises with every change of the table; 0 while there is no table."""
        if copied := self._copy():
            return copied[1]
        table = self._table()
        return 0 if table is None else table.version

    def entries(self) -> list[Entry]:
        """Return all videos, sorted by folder and name."""
        rows = self.read(COLUMNS)
        found = [] if rows is None else [Entry(**row) for row in rows.to_pylist()]
        return sorted(found, key=lambda entry: (entry.folder, entry.name))

    @property
    def videos(self) -> int:
        """Number of videos, which is the number of rows."""
        if copied := self._copy():
            return copied[0].num_rows
        table = self._table()
        return 0 if table is None else table.count_rows()

    @property
    def windows(self) -> int:
        """Number of windows of all videos."""
        table = self.read(["windows"])
        if table is None:
            return 0
        return pc.sum(table["windows"]).as_py() or 0  # ty: ignore[missing-attribute]  # pyarrow makes it on import

    def read(self, columns: list[str], where: str | None = None) -> pa.Table | None:
        """Return some columns of all rows, or of the rows that meet an SQL condition; None while there is no table."""
        copied = None if where else self._copy()
        if copied:
            return copied[0].select(columns)
        table = self._table()
        if table is None:
            return None
        query = table.search()
        return (query.where(where) if where else query).select(columns).to_arrow()

    def facts(self, id: str) -> str | None:
        """Return the JSON of what a video's file is; None where it is unknown."""
        rows = self.rows([id], [FACTS]) if self.has_facts else []
        return rows[0][FACTS] if rows else None

    def nearest(
        self, part: str, wanted: Float[np.ndarray, " E"], count: int, where: str | None = None
    ) -> list[str]:
        """Return the ids of the `count` videos whose best window in the column `part` is nearest by cosine, best first.

        The index is searched, and rows that it does not contain yet are scanned. where: as for `read`.
        """
        query = self._table().search(wanted, vector_column_name=part).distance_type("cosine")
        query = query.nprobes(PARTS_PROBED).select(["id", "_distance"]).limit(count)
        return (query.where(where, prefilter=True) if where else query).to_arrow()["id"].to_pylist()

    def rows(self, ids: list[str], columns: list[str] | None = None) -> list[Row]:
        """Return the rows with these ids, in any order. Ids that do not exist are left out."""
        if copied := self._copy():
            wanted, table = set(ids), copied[0].select(columns) if columns else copied[0]
            return _at(table, [i for i, id in enumerate(copied[0]["id"].to_pylist()) if id in wanted])
        table = self._table()
        if table is None or not ids:
            return []
        query = table.search().where(among(ids)).limit(len(ids))
        return _rows((query.select(columns) if columns else query).to_arrow())

    @contextmanager
    def writing(self, wait: bool = False) -> Generator[None]:
        """Hold the right to write, which only one process has at a time. On object storage nothing keeps two apart.

        wait: wait until another process releases the right. Raises Busy if another process has it, and ValueError if
        the folder cannot be written to or its disk is full; what was written before is kept.
        """
        try:
            if self.path is None:
                yield
                return
            with self._lock(wait):
                yield
        except RuntimeError as error:
            if "LanceError(IO)" not in str(error):
                raise
            raise self._unwritable(_reason(error)) from error

    def _lock(self, wait: bool) -> AbstractContextManager[object]:
        assert self.path is not None
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return FileLock(self.path / LOCK, timeout=-1 if wait else 0).acquire()
        except Timeout:
            raise Busy(
                f"another process is indexing into {self.path}: wait until it has ended, then try again"
            ) from None
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error

    def _unwritable(self, reason: str) -> ValueError:
        return ValueError(
            f"the library {self.address} cannot be written to ({reason}): make room or change its permissions, then"
            " index again; what it holds stands"
        )

    def create(self, width: int, maker: Maker) -> None:
        """Make the table for embeddings of `width` channels if there is none; an earlier one gets its new column."""
        table = self._table()
        if table is None:
            self._connect().create_table(TABLE, schema=schema_of(width, maker), mode="overwrite")
        elif FACTS not in table.schema.names:
            table.add_columns(pa.field(FACTS, pa.string()))

    def write(self, rows: list[Row], replace: bool) -> None:
        """Add rows, or replace the rows with the same ids, in one transaction."""
        schema = self._table().schema
        self.put(
            pa.Table.from_pylist([row | {"windows": len(row["video"])} for row in rows], schema), replace
        )

    def put(self, new: pa.Table, replace: bool) -> None:
        """Do what `write` does with rows that are a table already, in the columns of this one."""
        table = self._table()
        if replace:
            table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(new)
        else:
            table.add(new)
        self._writes += 1
        if self._writes % WRITES_PER_TIDY == 0:
            self.tidy()

    def drop(self, ids: list[str]) -> None:
        """Remove these videos."""
        self._table().delete(among(ids))

    def tidy(self) -> None:
        """Join the small files that many writes leave behind, and remove what only old versions need.

        This also brings the index up to date, if there is one.
        """
        self._table().optimize(cleanup_older_than=KEEP_VERSIONS)

    def settle(self) -> None:
        """Do all that makes reading fast again after writing."""
        self.tidy()
        self.index()
        self.copy()

    def copy(self) -> None:
        """Keep a copy of a small table in a local folder. The next process reads it without opening the database."""
        table = self._table()
        if self.path is not None and table is not None:
            whole = table.search().to_arrow().replace_schema_metadata(table.schema.metadata)
            snapshot.write(self.path, self._versions, whole, table.version)

    def index(self) -> None:
        """Make the index that `nearest` searches, if the store holds more than `EXACT_UP_TO` windows."""
        from lancedb.index import IvfSq

        table = self._table()
        if self.windows > EXACT_UP_TO:
            made = {column for index in table.list_indices() for column in index.columns}
            for part in sorted(set(PARTS) - made):
                table.create_index(part, config=IvfSq(distance_type="cosine"))

    @property
    def _schema(self) -> pa.Schema | None:
        """The table's schema; None while there is no table."""
        copied = self._copy()
        table = copied[0] if copied else self._table()
        return None if table is None else table.schema

    @property
    def _versions(self) -> Path:
        assert self.path is not None
        return self.path / f"{TABLE}.lance" / "_versions"

    def _copy(self) -> tuple[pa.Table, int] | None:
        """Return the table's copy and its version; None if the database is already open or no copy is current."""
        if self._opened is not None or self.path is None:
            return None
        return snapshot.read(self.path, self._versions)

    def _table(self) -> Any:
        if self._opened is None:
            if self.path is not None and not self.path.is_dir():
                return None
            database = self._connect()
            if TABLE not in database.list_tables().tables:
                return None
            try:
                self._opened = database.open_table(TABLE)
            except ValueError:
                # the process that began to make the table was killed: its folder exists, the table does not
                return None
        return self._opened

    def _connect(self) -> Any:
        if self._database is None:
            # It would warn that a new library did not exist before.
            os.environ.setdefault("LANCEDB_LOG", "error")
            import lancedb  # imported only when needed, because it takes two seconds

            # Every read checks for what other processes have written.
            self._database = lancedb.connect(self.address, read_consistency_interval=dt.timedelta(0))
        return self._database


def _at(table: pa.Table, places: list[int]) -> list[Row]:
    """Return the rows at these indices. They are passed as a buffer, because converting a list would import pandas."""
    bytes_of = pa.py_buffer(np.array(places, np.int64))
    return _rows(table.take(pa.Array.from_buffers(pa.int64(), len(places), [None, bytes_of])))


def _rows(table: pa.Table) -> list[Row]:
    """Return the rows with their vectors as arrays: as lists of Python's numbers they would take much longer.

    Arrays are made through DLPack, because Arrow's own conversion to numpy would import pandas.
    """
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    values = {
        name: [_array(column[i].values) for i in range(len(column))]
        if pa.types.is_list(column.type)
        else column.to_pylist()
        for name, column in columns.items()
    }
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _array(vectors: pa.Array) -> np.ndarray | list[np.ndarray]:
    """Return numbers as an array, and lists of numbers of equal length as a list of arrays."""
    if not pa.types.is_fixed_size_list(vectors.type):
        return np.from_dlpack(vectors)
    return list(np.from_dlpack(vectors.flatten()).reshape(len(vectors), -1))


def _reason(error: RuntimeError) -> str:
    """Return the operating system's message for what LanceDB could not write."""
    code = re.search(r"os error (\d+)", str(error))
    return os.strerror(int(code[1])) if code else str(error).partition(", /")[0]
