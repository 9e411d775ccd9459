"""A library in, a file of its embeddings that others read, too, out; and such a file in, a library again out.

Such a file has one row per video: the columns of the store, and `start` and `end`, the seconds of each of its windows,
whose embeddings are in `video` (the model's) and `clip` (CLIP's alone). Its metadata say who made them.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stan.library import vector_files
from stan.library.entries import FACTS, PARTS, Maker, id_of, schema_of
from stan.library.moments import spans
from stan.library.store import Store
from stan.library.vector_files import FLAT, lengths_of, nested, numbers_in
from stan.models.checkpoint import same_weights


def write(store: Store, file: Path) -> dict[str, Any]:
    """Write all of a library to a file whose ending says its kind, see `stan.library.vector_files`.

    An earlier file is replaced as a whole. Returns who made the embeddings, and the number of videos, windows and
    channels. Raises ValueError for a library without videos and for an unknown ending.
    """
    kind, maker, width = vector_files.kind_of(file), store.maker, store.width
    if maker is None or width is None or not store.videos:
        raise ValueError(
            f"{store.address} holds no videos: run `stan index FOLDER --library {store.address}` first"
        )
    kind.write(_with_spans(_whole(store, schema_of(width, maker)), maker), file)
    return _counted(store, maker, width)


def read(store: Store, file: Path) -> dict[str, Any]:
    """Add what `write` wrote to a library, which is made if there is none. Videos of the same paths are replaced.

    Returns what `write` does, of the library as it is then. Raises ValueError for a file that is damaged or is none
    that `write` wrote, and for a library that another model or other windows made: then nothing is written.
    """
    kind = vector_files.kind_of(file)
    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    table, maker, width = _checked(kind.read(file), file)
    _require_same(store, maker, width, file)
    with store.writing():
        _require_same(store, maker, width, file)  # another process may have made the library meanwhile
        store.create(width, maker)
        store.put(table, replace=True)
        store.settle()
    return _counted(store, maker, width)


def _counted(store: Store, maker: Maker, width: int) -> dict[str, Any]:
    made = {"model": maker.model, "signature": maker.signature}
    return made | {"videos": store.videos, "windows": store.windows, "width": width}


def _whole(store: Store, schema: pa.Schema) -> pa.Table:
    """Return all rows; a table of an earlier version has no facts."""
    there = [name for name in schema.names if name != FACTS or store.has_facts]
    table = store.read(there)
    assert table is not None, "it has a maker"
    if FACTS not in there:
        table = table.append_column(FACTS, pa.nulls(len(table), pa.string()))
    return table.select(schema.names).combine_chunks().replace_schema_metadata(schema.metadata)


def _with_spans(table: pa.Table, maker: Maker) -> pa.Table:
    settings = int(maker.frames), float(maker.window)
    durations, times = table["duration"].to_pylist(), table["times"].to_pylist()
    of_videos = [spans(np.array(t), d, *settings) for t, d in zip(times, durations, strict=True)]
    for place, name in enumerate(("start", "end")):
        column = [[span[place] for span in windows] for windows in of_videos]
        table = table.append_column(name, pa.array(column, pa.list_(pa.float64())))
    return table


def _require_same(store: Store, maker: Maker, width: int, file: Path) -> None:
    made = store.maker
    if made is None:
        return
    same = same_weights(made.signature, maker.signature) or same_weights(maker.signature, made.signature)
    if not same or (made.frames, made.window) != (maker.frames, maker.window):
        ours, theirs = (f"{one.model}, {one.frames} frames to {one.window} s" for one in (made, maker))
        raise ValueError(
            f"{file} was made by another model or in other windows ({theirs}) than the library {store.address}"
            f" ({ours}): their embeddings cannot be compared; read it into a new library"
        )
    if store.width != width:
        raise ValueError(
            f"{file} has vectors of {width} numbers, and the library {store.address} of {store.width}"
        )


def _checked(table: pa.Table, file: Path) -> tuple[pa.Table, Maker, int]:
    """Return the store's columns of a table that was read, who made them, and their width.

    Raises ValueError, naming the file, for a table that `write` didn't make or that has changed since.
    """
    metadata = (table.schema.metadata or {}).items()
    told = {key.decode(errors="replace"): value.decode(errors="replace") for key, value in metadata}
    lacking = [field.name for field in fields(Maker) if field.name not in told]
    if lacking:
        raise ValueError(f"{file} doesn't say {', '.join(lacking)}: it is no library that stan wrote")
    maker = Maker(**{field.name: told[field.name] for field in fields(Maker)})
    if maker.layout != Maker.layout:
        raise ValueError(
            f"{file} is of another version of stan, which kept other columns: write it with this one"
        )
    width = _width(table.schema)
    expected = schema_of(width, maker)
    wrong = [field.name for field in expected if field.name not in table.schema.names]
    wrong = wrong or [f.name for f in expected if not table.schema.field(f.name).type.equals(f.type)]
    if wrong:
        raise ValueError(
            f"{file} lacks {', '.join(wrong)}, or has something else there: it is no library that stan wrote"
        )
    table = table.select(expected.names).combine_chunks().replace_schema_metadata(expected.metadata)
    if faults := _faults(table, width):
        raise ValueError(f"{file} is damaged: {'; '.join(faults)}. Write it anew")
    return table, maker, width


def _width(schema: pa.Schema) -> int:
    """Return the number of channels of the vectors of windows; 0 if there are none."""
    kind = schema.field(PARTS[0]).type if PARTS[0] in schema.names else pa.null()
    inner = kind.value_type if pa.types.is_list(kind) else pa.null()
    return inner.list_size if pa.types.is_fixed_size_list(inner) else 0


def _faults(table: pa.Table, width: int) -> list[str]:
    """Return what is wrong with values: missing, doubled or foreign ids, counts that don't fit, no finite numbers."""
    missing = [
        name
        for name in table.column_names
        if name != FACTS and any(one.null_count for one in nested(table[name]))
    ]
    if missing:
        return [f"values of {', '.join(missing)} are missing"]
    ids, paths = table["id"].to_pylist(), table["path"].to_pylist()
    faults = ["two rows have one id"] * (len(set(ids)) < len(ids))
    faults += ["an id is not that of its path"] * (ids != [id_of(path) for path in paths])
    windows, frames = np.array(table["windows"].to_pylist()), lengths_of(table["times"])
    if not windows.all() or any((lengths_of(table[name]) != windows).any() for name in PARTS):
        faults.append("a video's windows and vectors differ in number")
    if not frames.all() or any((lengths_of(table[name]) != width * frames).any() for name in FLAT):
        faults.append("a video's frames and their vectors differ in number")
    numbers = (*PARTS, *FLAT, "times", "duration")
    unfit = [name for name in numbers if not np.isfinite(numbers_in(table[name])).all()]
    return faults + [f"{name} holds what is no number" for name in unfit]
