"""A run's folder and a file's name in; the file's content out, whether the folder is on disk or in an archive.

An archive is one zip file that holds folders of runs as a root does: `runs.zip/<study>/<row>/<hash>-s<seed>/...`. A
path that leads into an archive is read like any other. Nothing is ever extracted, and only `pack` writes archives.

Runs of one suite repeat the ids of its queries, which take more room than their ranks. An archive holds each such array
once, in SHARED; the `ranks.npz` of a run lists those that belong to it in the array `shared`, as `name=digest`.

Runs repeat each other's words, too, and small texts compress well only side by side. Those of one name stand together
in members `texts/<number>`; INDEX says where: `{"<study>/<row>/<hash>-s<seed>/run.json": [number, start, end]}`.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stan.common.files import write_bytes
from stan.common.json_values import from_json
from stan.results.record_files import CONFIG, EVALUATION, INTERPOLATION, LOG, PROBE, RANKS, RUN

SUFFIX = ".zip"
LARGEST = 64 << 20
"""Most bytes of an unpacked file from an archive. There is a limit because an archive may come from anywhere."""

QUERIES = {"t2v": "query_ids", "v2t": "video_ids", "ranks": "video_ids", "order_correct": "order_ids"}
"""Arrays with a number per query, and those with the queries' ids."""
SHARED = "shared.npz"
"""The arrays that several runs of an archive have in common, by their digests."""
TEXTS = (CONFIG, RUN, EVALUATION, LOG, PROBE, INTERPOLATION)
INDEX = "texts.json"
"""Where in an archive each text lies."""
TOGETHER = 1 << 20
"""Bytes of text after which an archive begins a new member, so that one text is read without all others."""
EVERY = 25
"""An archive keeps every 25th step of a log, its last step, and all validations."""
DIGITS = 5
"""Significant digits of a kept step's loss, rate and clock."""

_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError)
"""What reading a damaged zip file raises, a member of it or one as `ranks.npz`."""

Stamp = tuple[int, int, int]
"""A file's time of change in nanoseconds, its size in bytes, and its inode number."""

_Arrays = dict[str, tuple[str, np.ndarray]]
"""A run's arrays with their digests, by name."""


class _Opened(NamedTuple):
    zip: zipfile.ZipFile
    texts: dict[str, tuple[int, int, int]]
    names: frozenset[str]


def read_bytes(run: Path, name: str) -> bytes:
    """Return the content of a run's file. Raises FileNotFoundError if it is missing.

    Raises ValueError if the archive is damaged, or the file in it is larger than LARGEST.
    """
    archive = archive_of(run)
    if archive is None:
        return (run / name).read_bytes()
    return _content(archive, f"{run.relative_to(archive).as_posix()}/{name}")


def read_arrays(run: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a run's `ranks.npz`; nothing is unpickled. Raises ValueError if they can't be read."""
    try:
        arrays = _loaded(read_bytes(run, RANKS))
        archive = archive_of(run)
        if archive is not None and "shared" in arrays:
            shared = _shared(_open(archive).zip)
            names = (entry.rsplit("=", 1) for entry in arrays.pop("shared"))
            arrays |= {name: shared[digest] for name, digest in names}
        _check(arrays)
        return arrays
    except (OSError, ValueError, KeyError, *_DAMAGE) as error:
        raise ValueError(f"{run / RANKS} can't be read ({error}); evaluate the run again") from error


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError where there isn't one number for each query: a run's folder may come from anywhere."""
    for name, ids in QUERIES.items():
        values, named = arrays.get(name), arrays.get(ids)
        if values is None:
            continue
        if values.dtype.kind not in "biuf" or named is None or named.ndim != 1 or values.shape != named.shape:
            raise ValueError(f"{name} isn't one number for each of {ids}")


def stamp(run: Path, name: str) -> Stamp | None:
    """Return a value that differs whenever a run's file has changed; None if the file isn't there."""
    archive = archive_of(run)
    if archive is None:
        return _stamp(f"{run}/{name}")
    there = f"{run.relative_to(archive).as_posix()}/{name}" in _open(archive).names
    return _stamp(str(archive)) if there else None


def folders(root: Path) -> Iterator[Path]:
    """Yield every folder three levels below a root, sorted by name; nothing if there is no root."""
    archive = archive_of(root)
    if archive is None:
        yield from sorted(root.glob("*/*/*"))
        return
    depth = len(root.relative_to(archive).parts) + 3
    below = {tuple(name.split("/")[:depth]) for name in _open(archive).names if name.count("/") >= depth}
    yield from sorted(archive.joinpath(*parts) for parts in below)


def archive_of(path: Path) -> Path | None:
    """Return the archive that a path leads into; None for a path of ordinary folders."""
    whole, mark = f"{path}{os.sep}", f"{SUFFIX}{os.sep}"
    end = len(whole)
    while (end := whole.rfind(mark, 0, end)) > 0:  # by text, as there may be thousands of folders
        if os.path.isfile(file := whole[: end + len(SUFFIX)]):
            return Path(file)
    return None


def pack(runs: list[Path], file: Path) -> None:
    """Write runs into an archive: documents, ranks, time probes and thinned logs, but no weights and no notebooks.

    Of runs with one id, as one that was shipped and repeated here, the first is taken. Equal runs give equal bytes.
    """
    by_id = {run.parts[-3:]: run for run in reversed(runs)}
    runs = [by_id[one] for one in sorted(by_id)]
    arrays = [_with_digests(run) if stamp(run, RANKS) else {} for run in runs]
    shared = _in_common(arrays)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        _add_texts(made, runs)
        for run, of_run in zip(runs, arrays, strict=True):
            if stamp(run, RANKS) is not None:
                _add(made, f"{_inside(run)}/{RANKS}", _own(of_run, shared))
        if shared:
            _add(made, SHARED, _saved(shared))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(file, buffer.getvalue())


def _with_digests(run: Path) -> _Arrays:
    return {name: (_digest(array), array) for name, array in sorted(read_arrays(run).items())}


def _in_common(arrays: list[_Arrays]) -> dict[str, np.ndarray]:
    """Return the arrays that are there more than once, by their digests."""
    every = [told for of_run in arrays for told in of_run.values()]
    times = Counter(digest for digest, _ in every)
    return {digest: array for digest, array in every if times[digest] > 1}


def _add(made: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name)  # dated 1980: equal runs, equal bytes
    # a fifth smaller than deflated; torchvision doesn't start without lzma, either
    made.writestr(entry, content, zipfile.ZIP_LZMA)


def _add_texts(made: zipfile.ZipFile, runs: list[Path]) -> None:
    index, members = {}, [bytearray()]
    for name in TEXTS:
        for run in runs:
            if stamp(run, name) is None:
                continue
            if len(members[-1]) >= TOGETHER:
                members.append(bytearray())
            start = len(members[-1])
            content = read_bytes(run, name)
            members[-1] += _thinned(content, run / LOG) if name == LOG else content
            index[f"{_inside(run)}/{name}"] = (len(members) - 1, start, len(members[-1]))
    for number, member in enumerate(members):
        _add(made, f"texts/{number}", bytes(member))
    _add(made, INDEX, json.dumps(index).encode())


def _inside(run: Path) -> str:
    return "/".join(run.parts[-3:])


def _own(arrays: _Arrays, shared: Mapping[str, np.ndarray]) -> bytes:
    """Return what an archive holds of a run's `ranks.npz`."""
    own = {key: array for key, (digest, array) in arrays.items() if digest not in shared}
    taken = [f"{key}={digest}" for key, (digest, _) in arrays.items() if digest in shared]
    return _saved(own | ({"shared": np.array(taken)} if taken else {}))


def _saved(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **dict(sorted(arrays.items())))  # ty: ignore[invalid-argument-type]  # none is allow_pickle
    return buffer.getvalue()


def _loaded(content: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _digest(array: np.ndarray) -> str:
    told = f"{array.dtype.str} {array.shape}".encode()
    return hashlib.sha256(told + array.tobytes()).hexdigest()[:16]


def _thinned(log: bytes, where: Path) -> bytes:
    lines = [(line, _step(line, f"{where}:{number}")) for number, line in enumerate(log.splitlines(), 1)]
    steps = [values["step"] for _, values in lines if "loss" in values]
    kept = []
    for line, values in lines:
        if "loss" not in values:
            kept.append(line)
        elif values["step"] % EVERY == 0 or values["step"] == steps[-1]:
            kept.append(_rounded(values))
    return b"".join(line + b"\n" for line in kept)


def _step(line: bytes, where: str) -> dict[str, Any]:
    try:
        values = from_json(line)
    except ValueError as error:
        raise ValueError(f"{where}: is no JSON ({error}); remove the line") from error
    if not isinstance(values, dict) or "loss" in values and not isinstance(values.get("step"), int):
        raise ValueError(f"{where}: is no step of a training; remove the line")
    return values


def _rounded(step: dict[str, Any]) -> bytes:
    rounded = {
        name: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
        for name, value in step.items()
    }
    return json.dumps(rounded).encode()


def _content(archive: Path, name: str) -> bytes:
    opened = _open(archive)
    if name not in opened.names:
        raise FileNotFoundError(f"{archive / name} is missing")
    try:
        if name not in opened.texts:
            return _member(opened.zip, name)
        number, start, end = opened.texts[name]
        return _text(opened.zip, number)[start:end]
    except (KeyError, *_DAMAGE) as error:
        raise ValueError(f"{archive}: {Path(name).name} can't be read ({error})") from error


@lru_cache(maxsize=16)
def _text(opened: zipfile.ZipFile, number: int) -> bytes:
    """Return the texts of runs that stand together in a member of an archive."""
    return _member(opened, f"texts/{number}")


def _member(opened: zipfile.ZipFile, name: str) -> bytes:
    if opened.getinfo(name).file_size > LARGEST:
        raise ValueError(f"{Path(name).name} is larger than {LARGEST >> 20} MiB: that is no record")
    return opened.read(name)


@lru_cache(maxsize=8)
def _shared(opened: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """Return the arrays that runs of an archive have in common, read-only."""
    arrays = _loaded(_member(opened, SHARED))
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


def _open(archive: Path) -> _Opened:
    return _open_at(archive, _stamp(str(archive)))


@lru_cache(maxsize=8)
def _open_at(archive: Path, stamp: Stamp | None) -> _Opened:
    """Open an archive from memory, so that no open file is shared with forked processes. stamp: key of the cache."""
    try:
        opened = zipfile.ZipFile(io.BytesIO(archive.read_bytes()))
        names = opened.namelist()
        texts = _index(opened) if INDEX in names else {}  # older archives hold every text by itself
    except (TypeError, AttributeError, ValueError, *_DAMAGE) as error:
        raise ValueError(f"{archive} is no archive of runs: {error}") from error
    return _Opened(opened, texts, frozenset((*names, *texts)))


def _index(opened: zipfile.ZipFile) -> dict[str, tuple[int, int, int]]:
    index = from_json(_member(opened, INDEX))
    return {name: (int(number), int(start), int(end)) for name, (number, start, end) in index.items()}


def _stamp(file: str) -> Stamp | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
