"""Tar files of samples (WebDataset's shards), here or at an address, in; their members, each readable by itself, out.

Nothing is unpacked: a member is a range of bytes, and is copied to a temporary file while it is decoded. Addresses are
those of fsspec (`s3://`, `https://`, `memory://` and more) whose servers give ranges of bytes.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import fsspec

from stan.common.retry import patiently
from stan.data.video import first_bytes
from stan.data.video.extensions import PICTURES_OR_VIDEOS

SUFFIX = ".tar"
_BLOCK = tarfile.BLOCKSIZE


class ShardError(ValueError):
    """Raised for a file that is no good shard: `.reason` and `.remedy`; the message is `shard: reason; remedy`."""

    def __init__(self, shard: str, reason: str, remedy: str):
        super().__init__(f"{shard}: {reason}; {remedy}")
        self.reason, self.remedy = reason, remedy


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
    moves: bool = False
    """Whether it is a film in a format that most files use for pictures."""

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
        try:
            found = patiently(lambda: files.cat_file(path, start=self.offset, end=self.offset + self.size))
        except (FileNotFoundError, PermissionError) as error:  # of the shard, not of the video in it
            raise OSError(f"{type(error).__name__}: {error}") from error
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
    """Return the files in a shard, in their order; only headers are read, and how WebP and AVIF files begin.

    Raises ShardError for a shard that is cut off, a name that leads out of it, a name that stands twice, and what is
    neither file nor folder; OSError for a shard that cannot be reached.
    """
    try:
        files, path = fsspec.core.url_to_fs(shard)
        with files.open(path, "rb", block_size=1 << 16) as stream:
            found = list(_members(shard, stream))
    except tarfile.TarError as error:
        raise ShardError(shard, f"is no whole shard ({error})", "fetch or pack it again") from error
    except (ShardError, OSError):
        raise
    except Exception as error:  # clients of object storage raise their own kinds of errors
        raise OSError(f"{shard} cannot be read ({type(error).__name__}: {error})") from error
    return found


def _members(shard: str, stream: Any) -> Iterator[Member]:
    met: set[str] = set()
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for one in archive:
            name = PurePosixPath(one.name)
            if one.isdir():
                continue
            if name.is_absolute() or ".." in name.parts:
                raise ShardError(
                    shard, f"the name {one.name!r} leads out of the shard", "pack it again without"
                )
            try:
                one.name.encode()
            except UnicodeEncodeError:
                raise ShardError(
                    shard, f"the name {one.name!r} is no UTF-8 text", "rename it, and pack again"
                ) from None
            if one.size < 0:
                raise ShardError(shard, f"{one.name!r} has the size {one.size}", "fetch or pack it again")
            if not one.isreg() or one.issparse():
                raise ShardError(shard, f"{one.name!r} is no plain file", "pack the file itself")
            if str(name) in met:
                raise ShardError(shard, f"{str(name)!r} stands twice", "remove or rename one")
            met.add(str(name))
            yield Member(shard, str(name), one.offset_data, one.size, _moves(archive, one))
        _refuse_cut(shard, stream, archive.offset)


def _moves(archive: tarfile.TarFile, one: tarfile.TarInfo) -> bool:
    if PurePosixPath(one.name).suffix.lower() not in PICTURES_OR_VIDEOS:
        return False
    content = archive.extractfile(one)
    assert content is not None
    return first_bytes.is_moving_picture(content.read(first_bytes.HEAD))


def _refuse_cut(shard: str, stream: Any, end: int) -> None:
    """Raise ShardError for a shard without the empty block that ends a tar file, where its last member ends.

    It was cut between two members, or one's header is damaged: there, tarfile ends without a word.
    """
    stream.seek(end)
    rest = stream.read(_BLOCK)
    if len(rest) < _BLOCK:
        raise ShardError(shard, "is no whole shard (its end is missing)", "fetch or pack it again")
    if any(rest):
        raise ShardError(shard, f"is damaged at byte {end}", "fetch or pack it again")


def split_path(path: str) -> tuple[str, str] | None:
    """Return shard and name within it of a member's path, as `str` gives it; None for any other path."""
    shard, found, inside = path.partition(f"{SUFFIX}/")
    return (shard + SUFFIX, inside) if found else None


def member(shard: str, inside: str) -> Member:
    """Return the member of this name. Raises FileNotFoundError if there is none, and what `members` raises."""
    found = next((one for one in members(shard) if one.inside == inside), None)
    if found is None:
        raise FileNotFoundError(f"{shard} holds no {inside}")
    return found


def samples(shard: str) -> dict[str, dict[str, Member]]:
    """Return a shard's samples by key: the members whose names agree up to the first dot, by what follows it.

    Raises what `members` raises, and ShardError for two members of one sample that differ in case alone.
    """
    found: dict[str, dict[str, Member]] = {}
    for member in members(shard):
        base, _, kind = member.name.partition(".")
        key = os.path.join(os.path.dirname(member.inside), base)
        parts = found.setdefault(key, {})
        if kind.lower() in parts:
            both = f"{parts[kind.lower()].inside!r} and {member.inside!r}"
            raise ShardError(shard, f"{both} are one part of a sample", "remove or rename one")
        parts[kind.lower()] = member
    return found
