"""Tar files of samples (WebDataset's shards), here or at an address, in; their members, each readable by itself, out.

Nothing is unpacked: a member is a range of bytes, and is copied to a temporary file while it is decoded. Addresses are
those of fsspec (`s3://`, `https://`, `memory://` and more) whose servers give ranges of bytes.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import fsspec

SUFFIX = ".tar"
PAUSES = (0.5, 2.0)
"""Seconds to wait before each new attempt at an address after a failure."""
_BLOCK = tarfile.BLOCKSIZE


class _State(NamedTuple):
    st_size: int


@dataclass(frozen=True)
class Member:
    """One file in a shard. For its name, size and content it can be asked like a `Path`."""

    shard: str
    """Path or address of the shard."""
    inside: str
    """Name within the shard."""
    offset: int
    """Place of its first byte in the shard."""
    size: int

    def __str__(self) -> str:
        return f"{self.shard}/{self.inside}"

    @property
    def name(self) -> str:
        return PurePosixPath(self.inside).name

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.inside).suffix

    def stat(self) -> _State:
        return _State(self.size)

    def open(self, mode: Literal["rb"]) -> io.BytesIO:
        """Return its content. Raises OSError if the shard cannot be read."""
        return io.BytesIO(self.content())

    def content(self) -> bytes:
        """Return its bytes, after new attempts if an address fails. Raises OSError if the last one does."""
        files, path = fsspec.core.url_to_fs(self.shard)
        for pause in (*PAUSES, None):
            try:
                found = files.cat_file(path, start=self.offset, end=self.offset + self.size)
                break
            except Exception as error:  # clients of object storage raise their own kinds of errors
                if pause is None or isinstance(error, FileNotFoundError | PermissionError):
                    raise OSError(f"{type(error).__name__}: {error}") from error
            time.sleep(pause)
        if len(found) != self.size:
            raise OSError(f"{len(found)} of {self.size} bytes came: the shard is cut off")
        return found

    def copy_to(self, folder: Path) -> Path:
        """Write its content to a file in a folder, with a name of its own, and return that. Raises OSError."""
        file = folder / f"video{self.suffix}"
        file.write_bytes(self.content())
        return file


VideoFile = Path | Member
"""Where a video lies."""


def is_address(place: str) -> bool:
    return "://" in place


def address(place: str | Path) -> str:
    """Return a path or address as text; of an address, a Path has folded the two slashes into one."""
    return re.sub(r"^(\w+):/(?!/)", r"\1://", str(place))


def shards(root: str | Path) -> dict[str, str]:
    """Return the path within a folder of each .tar file below it, by the file's own path or address, sorted.

    Raises ValueError if the folder cannot be listed.
    """
    place = address(root)
    try:
        files, path = fsspec.core.url_to_fs(place)
        found = sorted(one for one in files.find(f"{path.rstrip('/')}/") if one.endswith(SUFFIX))
    except (OSError, ImportError, ValueError) as error:
        raise ValueError(f"{place} cannot be listed ({type(error).__name__}: {error})") from error
    whole = files.unstrip_protocol if is_address(place) else str
    return {whole(one): one.removeprefix(path).lstrip("/") for one in found}


def members(shard: str) -> list[Member]:
    """Return the files in a shard, in their order; only headers are read.

    Raises ValueError for a shard that cannot be read or is cut off, a name that leads out of it, a name that stands
    twice, and what is neither file nor folder.
    """
    try:
        files, path = fsspec.core.url_to_fs(shard)
        with files.open(path, "rb", block_size=1 << 16) as stream:
            found = list(_members(shard, stream))
            _refuse_cut(found, stream)
    except (tarfile.TarError, OSError) as error:
        raise ValueError(f"{shard} is no whole shard ({error}): fetch or pack it again") from error
    return found


def _members(shard: str, stream: Any) -> Iterator[Member]:
    met: set[str] = set()
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for one in archive:
            name = PurePosixPath(one.name)
            if one.isdir():
                continue
            if name.is_absolute() or ".." in name.parts:
                raise ValueError(
                    f"{shard}: the name {one.name!r} leads out of the shard: pack it again without"
                )
            if not one.isreg() or one.issparse():
                raise ValueError(f"{shard}: {one.name!r} is no plain file: pack the file itself")
            if str(name) in met:
                raise ValueError(f"{shard}: {str(name)!r} stands twice: remove or rename one")
            met.add(str(name))
            yield Member(shard, str(name), one.offset_data, one.size)


def _refuse_cut(found: list[Member], stream: Any) -> None:
    """Raise OSError for a shard without the empty block that ends a tar file: it was cut between two members."""
    end = max((one.offset + -(-one.size // _BLOCK) * _BLOCK for one in found), default=0)
    stream.seek(end)
    rest = stream.read(_BLOCK)
    if len(rest) < _BLOCK:
        raise OSError("its end is missing")


def samples(shard: str) -> dict[str, dict[str, Member]]:
    """Return a shard's samples by key: the members whose names agree up to the first dot, by what follows it."""
    found: dict[str, dict[str, Member]] = {}
    for member in members(shard):
        base, _, kind = member.name.partition(".")
        key = os.path.join(os.path.dirname(member.inside), base)
        found.setdefault(key, {})[kind.lower()] = member
    return found
