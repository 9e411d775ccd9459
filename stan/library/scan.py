"""A folder in; the video files and shards below it, and the reasons why other files are not even opened, out."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from stan.data.shards import SUFFIX as SHARD
from stan.data.video import first_bytes
from stan.data.video.extensions import PICTURES_OR_VIDEOS, READABLE

PLAYLISTS = frozenset([".m3u", ".m3u8", ".pls", ".xspf", ".mpd", ".ffconcat"])

Skip = Callable[[str, str, str], None]
"""Called for every file that is skipped, with its name, the reason and a remedy."""


def video_files(root: Path, skip: Skip, leave_out: Path | None = None) -> list[Path]:
    """Return the regular files below `root` (resolved) that are named as videos or shards, sorted, each file once.

    Links to files are resolved. Nothing outside `root` is opened, links to folders are not followed, and the folder
    `leave_out` is not entered.
    """
    found = set()
    for file in _walk(root, skip, leave_out):
        name = within(file, root)
        problem = _problem(file, root)
        if problem:
            skip(name, *problem)
        elif file.suffix.lower() not in PICTURES_OR_VIDEOS or _moves(file):
            found.add(file.resolve())
    return sorted(found)


def within(file: Path, root: Path) -> str:
    """Return the file's path below `root` as valid Unicode, which can be written anywhere."""
    return os.fsencode(file.relative_to(root)).decode(errors="replace")


def digest(file: Path) -> str:
    """Return the SHA-256 of a regular file's bytes as hex digits. Raises OSError if it is no longer a regular file."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is no regular file any more")
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _walk(root: Path, skip: Skip, leave_out: Path | None) -> Iterator[Path]:
    """Yield all files that are named like a video, a shard or a playlist, and links to folders outside `root`."""

    def unreadable(error: OSError) -> None:
        skip(within(Path(error.filename), root), error.strerror or str(error), "make the folder readable")

    for folder, folders, names in os.walk(root, onerror=unreadable):
        yield from (Path(folder, name) for name in names if _may_hold_videos(name))
        yield from (link for link in _links(folder, folders) if not _is_inside(link, root))
        folders[:] = [name for name in folders if Path(folder, name) != leave_out]


def _may_hold_videos(name: str) -> bool:
    return Path(name).suffix.lower() in READABLE | PLAYLISTS | {SHARD}


def _moves(file: Path) -> bool:
    """Return whether a picture is a film; one that can't be read is passed over as all pictures are."""
    try:
        return first_bytes.is_moving_picture(first_bytes.read(file))
    except OSError:
        return False


def _links(folder: str, names: list[str]) -> list[Path]:
    return [path for path in (Path(folder, name) for name in names) if path.is_symlink()]


def _is_inside(path: Path, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(root)  # Path.resolve raises for circular links


def _problem(file: Path, root: Path) -> tuple[str, str] | None:
    """Return why a file is not even opened and what to do about it, or None if it may be opened."""
    try:
        str(file).encode()
    except UnicodeEncodeError:
        return "its name is not valid Unicode", "rename the file"
    if not _is_inside(file, root):
        return "it is a link that leads out of the folder", "copy what it points to into the folder"
    if file.suffix.lower() in PLAYLISTS:
        return "it is a playlist, which names other files", "put the videos themselves into the folder"
    if not file.exists():
        return "it is a link that leads nowhere", "take it away"
    if not file.is_file():
        return "it is not a regular file", "take it away"
    return None
