"""A table of a library's rows in, a Parquet, NumPy or FAISS file out; and such a file in, the same table out.

- `.parquet`: the table as it is; pages have checksums.
- `.npz`: an array per column, without pickles. Lists lie one behind the other: `windows` says how many each video has
  of `start`, `end`, `clip` and `video`, and `frames` how many of `times`, `frame_clip` and `frame_video`. `made_by` is
  the table's metadata as JSON.
- `.faiss`: an index of inner products (`IndexFlatIP`) over the vectors `video` of all windows, in the table's order,
  each of length one. The table itself lies beside it as `.parquet`.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float

from stan.common.files import new_file
from stan.common.json_values import from_json
from stan.library.entries import PARTS


class Kind(NamedTuple):
    write: Callable[[pa.Table, Path], None]
    read: Callable[[Path], pa.Table]
    """Raises ValueError for a file that can't be read."""


def kind_of(file: Path) -> Kind:
    """Return how a file of this ending is written and read. Raises ValueError for an unknown one."""
    if file.suffix not in KINDS:
        raise ValueError(f"{file}: the ending says what is written or read, and there are {', '.join(KINDS)}")
    return KINDS[file.suffix]


def nested(column: pa.ChunkedArray | pa.Array) -> list[pa.Array]:
    """Return a column, then what is in its lists, then what is in the lists in these, and so on down to the values."""
    levels = [column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column]
    while pa.types.is_list(levels[-1].type) or pa.types.is_fixed_size_list(levels[-1].type):
        levels.append(levels[-1].flatten())
    return levels


def numbers_in(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return all numbers of a column, however deep its lists are, one behind the other."""
    return nested(column)[-1].to_numpy(zero_copy_only=False)


def lengths_of(column: pa.ChunkedArray) -> np.ndarray:
    """Return how long each list of a column is."""
    return np.diff(column.combine_chunks().offsets.to_numpy())


def _unreadable(file: Path, error: Exception) -> ValueError:
    return ValueError(
        f"{file} cannot be read ({' '.join(str(error).split())}): it is damaged or of another kind"
    )


# ---- Parquet


def _write_parquet(table: pa.Table, file: Path) -> None:
    with new_file(file) as part:
        pq.write_table(table, part, compression="zstd", write_page_checksum=True)


def _read_parquet(file: Path) -> pa.Table:
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            return opened.read()
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(file, error) from error


# ---- NumPy

FLAT = ("frame_clip", "frame_video")
"""Columns that hold the vectors of a video's frames, as one list of numbers."""
COUNTED = {**dict.fromkeys(("start", "end", *PARTS), "windows"), **dict.fromkeys(("times", *FLAT), "frames")}
"""Columns of lists, each with the array that says how long every video's list is."""


def _write_npz(table: pa.Table, file: Path) -> None:
    width = table["video"].type.value_type.list_size
    arrays: dict[str, Any] = {"frames": lengths_of(table["times"])}
    for name in table.column_names:
        if pa.types.is_string(table[name].type):
            arrays[name] = np.array([text or "" for text in table[name].to_pylist()])
        else:
            values = numbers_in(table[name])
            arrays[name] = values.reshape(-1, width) if _holds_vectors(name) else values
    told = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    with new_file(file) as part, part.open("wb") as stream:
        np.savez(stream, made_by=np.array(json.dumps(told)), **arrays)


_DAMAGE = (OSError, EOFError, LookupError, TypeError, ValueError, pa.ArrowException, zipfile.BadZipFile)
"""What reading a damaged archive of arrays, or one of other arrays, raises."""


def _read_npz(file: Path) -> pa.Table:
    try:
        if not zipfile.is_zipfile(file):
            raise ValueError("no archive of arrays")
        with np.load(file, allow_pickle=False) as opened:
            arrays = dict(opened)
        told = from_json(str(arrays.pop("made_by")))
        columns = {name: _column(name, arrays) for name in arrays if name != "frames"}
        return pa.table(columns).replace_schema_metadata(told)
    except _DAMAGE as error:
        raise _unreadable(file, error) from error


def _column(name: str, arrays: dict[str, np.ndarray]) -> pa.Array:
    values = arrays[name]
    if values.dtype.kind == "U":
        return pa.array([text or None for text in values.tolist()], pa.string())
    if name not in COUNTED:
        return pa.array(values)
    counts = arrays[COUNTED[name]] * (values.shape[1] if name in FLAT else 1)
    column = pa.array(values.ravel())
    if _holds_vectors(name) and name not in FLAT:
        column = pa.FixedSizeListArray.from_arrays(column, values.shape[1])
    if counts.min() < 0 or counts.sum() != len(column):
        raise ValueError(f"{name} has {len(column)} entries for {counts.sum()}")
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), column)


def _holds_vectors(name: str) -> bool:
    return name in (*FLAT, *PARTS)


# ---- FAISS


def _write_faiss(table: pa.Table, file: Path) -> None:
    faiss = _faiss()
    vectors = _directions(table)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    _write_parquet(table, file.with_suffix(".parquet"))
    with new_file(file) as part:
        faiss.write_index(index, str(part))


def _read_faiss(file: Path) -> pa.Table:
    """Return the table beside the index. Raises ValueError, too, if their vectors differ."""
    faiss, beside = _faiss(), file.with_suffix(".parquet")
    if not beside.is_file():
        raise ValueError(f"{file} lies without {beside.name}, which says what its vectors are: put it there")
    try:
        index = faiss.read_index(str(file))
    except RuntimeError as error:
        raise _unreadable(file, error) from error
    table = _read_parquet(beside)
    kind = table.schema.field("video").type if "video" in table.column_names else pa.null()
    vectors = _directions(table) if pa.types.is_list(kind) else np.zeros((0, 0), np.float32)
    flat = isinstance(index, faiss.IndexFlatIP)
    if not flat or not np.array_equal(index.reconstruct_n(0, index.ntotal), vectors):
        raise ValueError(f"{file} doesn't hold the vectors of {beside}: write both anew")
    return table


def _directions(table: pa.Table) -> Float[np.ndarray, "W E"]:
    """Return the model's vectors of all windows, each of length one."""
    column = table["video"].combine_chunks().flatten()
    vectors = numbers_in(column).reshape(len(column), -1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)


def _faiss() -> ModuleType:
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise ValueError("FAISS's files need its package: pip install 'stan-video[faiss]'") from error
    return faiss


KINDS = {
    ".parquet": Kind(_write_parquet, _read_parquet),
    ".npz": Kind(_write_npz, _read_npz),
    ".faiss": Kind(_write_faiss, _read_faiss),
}
