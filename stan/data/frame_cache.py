"""Clips' files in, their frames out: decoded once, kept on disk as bytes, and memory-mapped by every reader.

A cache is the folder `<root>/<key>` with two files. `frames.bin` holds the uint8 frames, clip after clip. `shapes.npy`,
int64 (clips, 3), holds each clip's number of kept frames, their height and their width. The key stands for the clips,
the number of frames and their size.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from filelock import FileLock
from jaxtyping import UInt8

from stan.common.files import new_file
from stan.common.progress import Progress
from stan.data.datasets import VideoSet
from stan.data.shards import VideoFile
from stan.data.video import decoding
from stan.data.video.sampling import segments

DECODING = 2
"""Counts up when the decoder gives other frames of the same files than before."""
FRAMES, SHAPES = "frames.bin", "shapes.npy"
CLIPS_AHEAD = 64
"""Number of clips that are decoded side by side before their frames are written."""


class FrameCache:
    """Read access to the kept frames of one set of clips."""

    def __init__(self, folder: Path):
        self.shapes = np.load(folder / SHAPES)
        self._ends = np.cumsum(self.shapes.prod(1) * 3)
        self._bytes = np.memmap(folder / FRAMES, np.uint8, "r")

    def clip(self, index: int) -> UInt8[np.ndarray, "N H W 3"]:
        """Return all frames that are kept of a clip."""
        end, shape = self._ends[index], self.shapes[index]
        return self._bytes[end - shape.prod() * 3 : end].reshape(*shape, 3)

    def draw(self, index: int, count: int, rng: np.random.Generator) -> UInt8[np.ndarray, "T H W 3"]:
        """Return a random frame of each of `count` segments; with all frames kept, those that `video.decode` draws."""
        kept = self.clip(index)
        return kept[segments(len(kept), count, np.random.default_rng(int(rng.integers(2**63))))]


def frame_cache(
    root: str | Path,
    videos: VideoSet,
    count: int,
    size: int,
    pool: Executor,
    progress: Progress | None = None,
) -> FrameCache:
    """Return the kept frames of all clips: at most `count` of each, even in time, with a short side of `size` pixels.

    Of a shorter clip with a constant rate, all frames are kept. If the cache isn't there yet, the threads of `pool`
    decode the clips, and a second process waits for them. progress: called with the clips done and the number of all
    clips. Raises VideoError for a file that can't be decoded, ValueError if the disk has no room.
    """
    identity = json.dumps([DECODING, videos.hash, videos.split, len(videos.clips), count, size])
    folder = Path(root) / hashlib.sha256(identity.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if not (folder / SHAPES).exists():
            _decode(folder, videos, count, size, pool, progress)
    return FrameCache(folder)


def _decode(
    folder: Path, videos: VideoSet, count: int, size: int, pool: Executor, progress: Progress | None
) -> None:
    """Decode all clips into the folder. The shapes are written last: where they are, the frames are whole."""
    paths, shapes = [clip.path for clip in videos.clips], []
    with open(folder / FRAMES, "wb") as file:
        for start in range(0, len(paths), CLIPS_AHEAD):
            some = paths[start : start + CLIPS_AHEAD]
            for frames in pool.map(lambda path: _frames(path, count, size), some):
                file.write(frames.data)
                shapes.append(frames.shape[:3])
            _require_room(folder, file.tell(), len(shapes), len(paths))
            if progress:
                progress(len(shapes), len(paths))
    with new_file(folder / SHAPES) as part, part.open("wb") as file:
        np.save(file, np.array(shapes, np.int64))


def _frames(path: VideoFile, count: int, size: int) -> UInt8[np.ndarray, "N H W 3"]:
    """Return each frame once; decoding a clip with fewer than `count` frames repeats some.

    Of a clip with a variable rate, repetitions stay: a frame that is shown for long is drawn as often.
    """
    decoded = decoding.decode(path, count, size)
    if not decoded.facts.constant_rate:
        return decoded.frames
    _, first = np.unique(decoded.indices, return_index=True)
    return np.ascontiguousarray(decoded.frames[first])


def _require_room(folder: Path, written: int, done: int, clips: int) -> None:
    needed, free = written / done * clips - written, shutil.disk_usage(folder).free
    if needed > free:
        (folder / FRAMES).unlink()
        raise ValueError(
            f"frames of {clips} clips need some {(written + needed) / 1e9:.1f} GB in {folder}, where"
            f" {(free + written) / 1e9:.1f} GB are free: lower data.kept_frames, or set it to 0"
        )
