"""Video files in; those that do not give their frames, with the reason, out; and sets without such clips.

Where a run may skip broken clips, which ones is found out once, before training, by decoding every frame, and kept by
the set's hash: so all rows of a study, and a run that is resumed, see the same clips.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from filelock import FileLock

from stan.common.files import write_json
from stan.common.progress import Progress
from stan.data.datasets import VideoSet
from stan.data.video import decode
from stan.data.video.decode import VideoError
from stan.data.video.pool import POOL

FRAMES_AT_ONCE = 256
"""Frames that one decoding process hands over together."""
SHORT_SIDE = 64
"""Pixels to which frames are shrunk that are only decoded to see whether they can be."""


def chunks(path: Path, size: int | None = None, at_once: int = FRAMES_AT_ONCE) -> Iterator[decode.Decoded]:
    """Every frame of the file, in order, some at a time. Raises VideoError."""
    total = decode.probe(path).frames
    for start in range(0, total, at_once):
        yield decode.decode(path, np.arange(start, min(start + at_once, total)), size)


def fault(path: Path, frames: int | None = None) -> VideoError | None:
    """Why the file does not give its frames; None where it does. frames: centres of as many segments; None: all."""
    try:
        if frames is None:
            for _ in chunks(path, SHORT_SIDE):
                pass
        else:
            decode.decode(path, frames, SHORT_SIDE)
    except VideoError as error:
        return error
    return None


def faults(
    paths: Sequence[Path], frames: int | None = None, progress: Progress | None = None
) -> dict[Path, VideoError]:
    """The files that do not give their frames, several being decoded at once; `frames` as of `fault`.

    progress: called with the files decoded and all files.
    """
    found = {}
    with ThreadPoolExecutor(POOL.size, thread_name_prefix="decode") as threads:
        for done, (path, error) in enumerate(
            zip(paths, threads.map(lambda path: fault(path, frames), paths), strict=True), 1
        ):
            if error is not None:
                found[path] = error
            if progress:
                progress(done, len(paths))
    return found


def without_broken(videos: VideoSet, root: str | Path, progress: Progress | None = None) -> VideoSet:
    """The set without the clips that have a frame which cannot be decoded; `broken` of the answer names them.

    root: folder in which the answer is kept, by the set's hash; a second process that asks then waits for it.
    Raises ValueError where no clip is left.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    kept = root / f"{videos.split}-{videos.hash[:16]}.json"
    with FileLock(kept.with_suffix(".lock")):
        if not kept.is_file():
            _keep(kept, videos, faults([clip.path for clip in videos.clips], progress=progress))
        broken = json.loads(kept.read_text(encoding="utf-8"))
    clips = tuple(clip for clip in videos.clips if clip.id not in broken)
    if not clips:
        raise ValueError(f"every video of {videos.name}'s {videos.split} split is broken; {kept} says why")
    return replace(videos, clips=clips, broken=broken)


def _keep(file: Path, videos: VideoSet, found: dict[Path, VideoError]) -> None:
    """Whole or not at all: an unfinished list would pass for a shorter one."""
    write_json(file, {clip.id: found[clip.path].reason for clip in videos.clips if clip.path in found})
