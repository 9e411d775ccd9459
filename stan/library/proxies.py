"""Any video file in; a small H.264 video and a strip of pictures, both made here, out: what others may see of it."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stan.common.files import new_file
from stan.common.locks import NamedLocks
from stan.data.video import decoding
from stan.data.video.transcode import WATCHED, small_pictures, write_h264

if TYPE_CHECKING:
    from stan.library import Library

MOST = 360
"""Most pictures of a proxy. A longer video is thinned evenly in time: it plays at its own speed, less smoothly."""
WHOLE = 360.0
"""Seconds up to which a video has one proxy, with at least as many pictures as a library embeds, one a second. A longer
video is played in parts, each made when it is first asked for."""
PART, STEP = 60.0, 30.0
"""Seconds of a part, and from the start of one to the start of the next: a moment of up to 30 s lies within one."""
SHORT_SIDE = 240
PICTURES = 8
"""Pictures in a strip."""
PICTURE = (256, 144)
"""Width and height of each picture in pixels."""
LOOK = "3"
"""Rises whenever the same video gives other proxies, so that those of an earlier version are made anew."""
MAKING = 2
"""Number of files made at the same time."""


class Proxies:
    """Small videos and strips in one folder, each made when it is first requested."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._making = threading.Semaphore(MAKING)
        self._lock = NamedLocks()

    def __call__(self, path: str | Path, kind: str, part: int | None = None) -> Path:
        """Return a file of the video at `path`: a small `mp4`, or a `webp` of `PICTURES` evenly spread frames in a row.

        part: of a long video, which of its parts is to be played. The file's name does not reveal where the original
        is. Raises VideoError if the video cannot be decoded, and ValueError for a part that it does not have.
        """
        state = os.stat(path)  # a changed file gets a new proxy
        identity = f"{os.path.realpath(path)}\0{state.st_size}\0{state.st_mtime_ns}"
        return self._made(identity, kind, part, nullcontext(Path(path)))

    def of(self, library: Library, id: str, kind: str, part: int | None = None) -> Path:
        """Return the same of a library's video. One at an address is only fetched where the file is not made yet.

        Raises ValueError for an unknown id, and what opening the video raises.
        """
        entry = library.entry(id)
        if entry.is_remote:
            return self._made(f"{entry.path}\0{entry.hash}", kind, part, library.file(id))
        return self(entry.path, kind, part)

    def _made(self, identity: str, kind: str, part: int | None, file: AbstractContextManager[Path]) -> Path:
        named = f"{LOOK}\0{part}\0{identity}"
        name = hashlib.sha256(named.encode(errors="surrogateescape")).hexdigest()[:24]
        made = self.folder / f"{name}.{kind}"
        make = MAKERS[kind] if part is None else partial(_encode_part, part)
        with self._lock(name):
            if not made.exists():
                with file as path, self._making, new_file(made) as unfinished:
                    make(path, unfinished)
        return made


def _encode(path: Path, out: Path) -> None:
    """Write the frames as the decoder displays them, at their own times: those of the library's moments."""
    info = decoding.probe(path)
    indices = np.arange(info.frames)
    if info.frames > MOST:
        indices = np.unique(decoding.sample(path, MOST).indices)
    write_h264(out, small_pictures(info, indices, SHORT_SIDE), info.duration, WATCHED)


def _encode_part(part: int, path: Path, out: Path) -> None:
    """Write the frames from `STEP * part` seconds on, which is the time 0 of the file.

    Raises ValueError for a part that begins after the video's end.
    """
    info, begin = decoding.probe(path), STEP * part
    sampled = decoding.sample(path, round(info.duration * MOST / PART) or 1)
    inside = (sampled.times >= begin) & (sampled.times < begin + PART)
    if not inside.any():
        raise ValueError(f"the video ends before its part {part}")
    pictures = small_pictures(info, np.unique(sampled.indices[inside]), SHORT_SIDE)
    shifted = ((picture, max(seconds - begin, 0.0)) for picture, seconds in pictures)
    write_h264(out, shifted, min(PART, info.duration - begin), WATCHED)


def _draw_strip(path: Path, out: Path) -> None:
    width, height = PICTURE
    strip = Image.new("RGB", (PICTURES * width, height))
    for place, frame in enumerate(decoding.frames(path, PICTURES, height)):
        picture = Image.fromarray(frame)
        scale = min(width / picture.width, height / picture.height)
        picture = picture.resize((round(picture.width * scale) or 1, round(picture.height * scale) or 1))
        strip.paste(picture, (place * width + (width - picture.width) // 2, (height - picture.height) // 2))
    strip.save(out, "webp", quality=75)


MAKERS = {"mp4": _encode, "webp": _draw_strip}
