"""A folder, or a list of paths and addresses, in; the videos that it names, with their state and bytes, out.

Addresses are those of fsspec (`s3://`, `https://`, `memory://` and more). A shard (.tar) stands for the videos in it. A
video at an address or in a shard is copied to a temporary file while it is read.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec

from stan.common.retry import patiently
from stan.data.shards import SUFFIX, Member, ShardError, is_address, member, members, split_path
from stan.data.video.extensions import READABLE, VIDEOS
from stan.library import scan
from stan.library.entries import Entry, local_path


@dataclass(frozen=True)
class FetchLimits:
    """What fetching one video may cost."""

    bytes: int = 4 << 30
    seconds: float = 300.0
    """Wall time, new attempts included."""


class OverLimit(OSError):
    """Raised for a video that needs more than its limits to be fetched."""


class _Meter(fsspec.callbacks.Callback):
    """Called by fsspec for every part that it fetches; raises OverLimit as soon as a limit is passed."""

    def __init__(self, limits: FetchLimits):
        super().__init__()
        self._limits, self._end = limits, time.monotonic() + limits.seconds

    def call(self, *_: Any, **__: Any) -> None:
        if max(self.value, self.size or 0) > self._limits.bytes:
            raise OverLimit(f"is larger than the limit of {self._limits.bytes >> 20} MiB")
        self.left()

    def left(self) -> float:
        """Return the seconds that are left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise OverLimit(f"takes longer to fetch than the limit of {self._limits.seconds:g} s")
        return left


@dataclass(frozen=True)
class FileState:
    """Tells whether a file has changed, without reading it."""

    size: int
    mtime_ns: int
    """0 if the server does not report a time."""
    tag: str = ""
    """Replaces the hash of the bytes if a server gives an ETag but no time."""

    def is_that_of(self, entry: Entry) -> bool:
        if self.mtime_ns:
            return (self.size, self.mtime_ns) == (entry.size, entry.mtime_ns)
        return self.tag == entry.hash


@dataclass(frozen=True)
class Source:
    """A local video file."""

    path: str
    folder: str
    name: str
    """Path within `folder`."""

    def state(self) -> FileState:
        found = Path(self.path).stat()
        return FileState(found.st_size, found.st_mtime_ns)

    @contextmanager
    def fetched(self) -> Generator[Path]:
        """Yield a local path to the file, which is valid while the context is open."""
        yield Path(self.path)


@dataclass(frozen=True)
class RemoteSource(Source):
    """A video at an address. Its methods retry failures that may be temporary and then raise OSError."""

    @property
    def suffix(self) -> str:
        return _suffix(self.path)

    def state(self, meter: _Meter | None = None) -> FileState:
        info = self._ask("info", meter=meter)
        size, mtime_ns = int(info.get("size") or 0), self._mtime_ns()
        etag = next((value for key, value in info.items() if key.lower() == "etag"), None)
        named = f"{self.path}\0{size}\0{etag}"
        return FileState(
            size, mtime_ns, hashlib.sha256(named.encode()).hexdigest() if etag and not mtime_ns else ""
        )

    @contextmanager
    def fetched(self) -> Generator[Path]:
        with tempfile.TemporaryDirectory(prefix="stan-fetched-") as folder:
            file = Path(folder, "video" + self.suffix)
            self._ask("get_file", str(file))
            yield file

    def fetch(self, target: Path, limits: FetchLimits) -> str:
        """Copy the video to `target` and return its hash, as an index keeps it. Raises OSError."""
        meter = _Meter(limits)
        state = self.state(meter)
        self._ask("get_file", str(target), meter=meter, callback=meter)
        return state.tag or scan.digest(target)

    def _mtime_ns(self) -> int:
        try:
            return int(self._ask("modified").timestamp() * 1e9)
        except NotImplementedError:
            return 0

    def _ask(self, method: str, *arguments: Any, meter: _Meter | None = None, **options: Any) -> Any:
        def ask() -> Any:
            files, path = fsspec.core.url_to_fs(self.path)
            waits = {"timeout": meter.left()} if meter and files.async_impl else {}
            return getattr(files, method)(path, *arguments, **options, **waits)

        return patiently(ask, NotImplementedError, OverLimit)


@dataclass(frozen=True)
class ShardSource(Source):
    """A video in a shard, here or at an address."""

    shard: FileState
    """State of the shard when it was listed."""
    member: Member

    def state(self) -> FileState:
        tag = (
            self.shard.tag and hashlib.sha256(f"{self.shard.tag}\0{self.member.inside}".encode()).hexdigest()
        )
        return FileState(self.member.size, self.shard.mtime_ns, tag)

    @contextmanager
    def fetched(self) -> Generator[Path]:
        with tempfile.TemporaryDirectory(prefix="stan-fetched-") as folder:
            yield self.member.copy_to(Path(folder))


def fetch(entry: Entry, target: Path, limits: FetchLimits) -> str:
    """Copy a library's video to `target` and return its hash, as an index keeps it. Raises OSError."""
    inside = split_path(entry.path)
    if inside is None:
        return RemoteSource(entry.path, entry.folder, entry.name).fetch(target, limits)
    try:
        found = member(*inside)
    except ShardError as error:
        raise OSError(error.reason) from error
    if found.size > limits.bytes:
        raise OverLimit(f"is larger than the limit of {limits.bytes >> 20} MiB")
    target.write_bytes(found.content())
    source = ShardSource(entry.path, entry.folder, entry.name, _shard_state(inside[0]), found)
    return source.state().tag or scan.digest(target)


class _Shards:
    """The shards that were looked into for one update of a library."""

    def __init__(self) -> None:
        self._away: set[str] = set()

    def videos(self, shard: str, folder: str, within: str, skip: scan.Skip) -> list[Source]:
        """Return the videos in a shard. folder, within: what was indexed, and the shard's path in it."""
        try:
            state = _shard_state(shard)
            found = [one for one in members(shard) if one.suffix.lower() in VIDEOS or one.moves]
        except ShardError as error:
            skip(within, error.reason, error.remedy)
            return []
        except OSError as error:
            self._away.add(shard)
            skip(within, error.strerror or str(error), "bring the shard back, or index again later")
            return []
        return [ShardSource(str(one), folder, f"{within}/{one.inside}", state, one) for one in found]

    def hides(self, path: str) -> bool:
        """Return whether a video lies in a shard that cannot be reached, perhaps only for a while."""
        inside = split_path(path)
        return inside is not None and inside[0] in self._away


def _shard_state(shard: str) -> FileState:
    kind = RemoteSource if is_address(shard) else Source
    return kind(shard, "", "").state()


class Folder:
    """All videos below a folder."""

    missing = "it vanished while indexing", "index again if it comes back"
    """The reason and the remedy that are reported for a video that is gone."""

    def __init__(self, root: Path):
        self.root = root
        self._shards = _Shards()

    def sources(self, skip: scan.Skip, leave_out: Path | None) -> list[Source]:
        """Return the videos, sorted by path. The folder `leave_out` is not entered."""
        root = self.root
        found: list[Source] = []
        for file in scan.video_files(root, skip, leave_out):
            within = str(file.relative_to(root))
            if file.suffix == SUFFIX:
                found += self._shards.videos(str(file), str(root), within, skip)
            else:
                found.append(Source(str(file), str(root), within))
        return found

    def names(self, path: str) -> bool:
        """Return whether this folder decides if the library holds the video at `path`."""
        return Path(path).is_relative_to(self.root) and not self._shards.hides(path)

    def told(self, source: Source) -> str:
        """Return the name of a video in reports."""
        return source.name


class Addresses:
    """The videos that a text file names, one path or address per line. Relative paths start at the file's own folder.

    Raises ValueError if `file` is not such a list, and for an address of a kind that cannot be opened here.
    """

    missing = "there is no such file", "correct the list, or index again once it is there"

    def __init__(self, file: Path):
        if not is_list(file):
            raise ValueError(
                f"{file} is not a folder, and no text file with the path or address of a video on each line"
            )
        self._all = list(dict.fromkeys(_source(line, file.parent) for line in _lines(file)))
        self._paths = {source.path for source in self._all}
        self._shards = _Shards()

    def sources(self, skip: scan.Skip, leave_out: Path | None) -> list[Source]:
        """Return the videos in the list's order, each once."""
        kept = []
        for source in self._all:
            if _suffix(source.path) in READABLE:
                kept.append(source)
            elif _suffix(source.path) == SUFFIX:
                kept += self._shards.videos(source.path, source.folder, source.name, skip)
            else:
                skip(source.path, "its name does not end as a video's does", "take it off the list")
        return kept

    def names(self, path: str) -> bool:
        inside = split_path(path)
        in_shard = inside is not None and inside[0] in self._paths
        return path in self._paths or in_shard and not self._shards.hides(path)

    def told(self, source: Source) -> str:
        return source.path


def is_list(file: Path) -> bool:
    """Return whether `file` is a text file with something on a line, and isn't named as a video or shard."""
    return bool(_lines(file))


def _lines(file: Path) -> list[str]:
    if file.suffix.lower() in READABLE or not file.is_file():
        return []
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError:
        return []


def _source(line: str, start: Path) -> Source:
    local = local_path(line)
    if local is None:
        _known_protocol(line)
        folder, _, name = _without_query(line).rpartition("/")
        return RemoteSource(line, folder, name)
    file = (start / local).resolve()
    return Source(str(file), str(file.parent), file.name)


def _known_protocol(address: str) -> None:
    try:
        fsspec.get_filesystem_class(address.partition("://")[0])
    except (ValueError, ImportError) as error:
        raise ValueError(f"{address} cannot be opened: {error}") from None


def _suffix(path: str) -> str:
    return Path(_without_query(path)).suffix.lower()


def _without_query(path: str) -> str:
    """Return an address without its query, which may hold slashes, and words that give access."""
    return path.partition("?")[0] if path.startswith("http") else path
