"""Video files in, those that do not give their frames out, with the reason; and sets without such clips.

If a run may skip broken clips, they are found once, before training, by decoding every frame. The answer is kept under
the set's hash, so that all rows of a study and a resumed run see the same clips.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from filelock import FileLock

from stan.common.files import write_json
from stan.common.json_values import from_json
from stan.common.progress import Progress
from stan.data.datasets import VideoSet
from stan.data.shards import VideoFile
from stan.data.video import decoding
from stan.data.video.decoding import VideoError
from stan.data.video.pool import POOL

FRAMES_AT_ONCE = 256
"""Number of frames that a decoding process hands over together."""
SHORT_SIDE = 64
"""Short side, in pixels, of frames that are decoded only to see whether they can be."""


def chunks(
    path: VideoFile, size: int | None = None, at_once: int = FRAMES_AT_ONCE
) -> Iterator[decoding.Decoded]:
    """Yield every frame of the file, in order, `at_once` at a time. Raises VideoError."""
    total = decoding.probe(path).frames
    for start in range(0, total, at_once):
        yield decoding.decode(path, np.arange(start, min(start + at_once, total)), size)


def fault(path: VideoFile, frames: int | None = None) -> VideoError | None:
    """Return why the file does not give its frames; None if it does.

    frames: how many segments have their centre frames decoded; None: all frames are decoded.
    """
    try:
        if frames is None:
            for _ in chunks(path, SHORT_SIDE):
                pass
        else:
            decoding.decode(path, frames, SHORT_SIDE)
    except VideoError as error:
        return error
    return None


def faults(
    paths: Sequence[VideoFile], frames: int | None = None, progress: Progress | None = None
) -> dict[VideoFile, VideoError]:
    """Return the files that do not give their frames, with the error; several files are decoded at once.

    frames: as in `fault`. progress: called with the files decoded and the number of all files.
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
    """Return the set without the clips that have an undecodable frame; the new set's `broken` names them.

    root: folder in which the answer is kept, by the set's hash; a second process that asks waits for it. Raises
    ValueError if no clip is left.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    kept = root / f"{videos.split}-{videos.hash[:16]}.json"
    with FileLock(kept.with_suffix(".lock")):
        if not kept.is_file():
            _keep(kept, videos, faults([clip.path for clip in videos.clips], progress=progress))
        broken = from_json(kept.read_text(encoding="utf-8"))
    clips = tuple(clip for clip in videos.clips if clip.id not in broken)
    if not clips:
        raise ValueError(f"every video of {videos.name}'s {videos.split} split is broken; {kept} says why")
    return replace(videos, clips=clips, broken=broken)


def _keep(file: Path, videos: VideoSet, found: dict[VideoFile, VideoError]) -> None:
    """Write the list whole or not at all: an unfinished list would pass for a shorter one."""
    write_json(file, {clip.id: found[clip.path].reason for clip in videos.clips if clip.path in found})
