"""Any video file in, a small H.264 file of our own making out: the only files that the page ever serves."""

from __future__ import annotations

import hashlib
import itertools
import os
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from stan.data import video as video_files

UPLOADS = frozenset([".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"])
LONGEST = 360
"""Frames in a proxy at most: a longer video is thinned evenly and plays at its own pace, less smoothly."""
AT_ONCE = 60
"""Frames decoded at a time, so that memory stays flat."""
SHORT_SIDE = 240


def require_video_name(upload: Path) -> None:
    """Raises ValueError for an upload whose extension is no video's; what it holds is checked when it is opened."""
    if upload.suffix.lower() not in UPLOADS:
        known = ", ".join(sorted(UPLOADS))
        raise ValueError(f"{upload.name} does not look like a video: upload one of {known}")


class Proxies:
    """Proxies of videos in a folder of their own, each made when first asked for."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def __call__(self, path: str | Path) -> Path:
        """The proxy of the video at `path`; its name tells nothing of where the original lies.

        Raises VideoError when the video cannot be decoded.
        """
        state = os.stat(path)
        identity = f"{os.path.realpath(path)}\0{state.st_size}\0{state.st_mtime_ns}"
        proxy = (
            self.folder / f"{hashlib.sha256(identity.encode(errors='surrogateescape')).hexdigest()[:24]}.mp4"
        )
        if not proxy.exists():
            self._make(path, proxy)
        return proxy

    def _make(self, path: str | Path, proxy: Path) -> None:
        handle, unfinished = tempfile.mkstemp(suffix=".mp4", dir=self.folder)
        os.close(handle)
        try:
            _encode(path, unfinished)
            os.replace(unfinished, proxy)
        finally:
            Path(unfinished).unlink(missing_ok=True)


def _encode(path: str | Path, out: str) -> None:
    info = video_files.probe(path)
    indices = _thinned(info.frames)
    rate = Fraction(len(indices) / max(info.duration, 1e-3)).limit_denominator(1000)
    pictures = _pictures(path, indices, SHORT_SIDE if min(info.width, info.height) > SHORT_SIDE else None)
    first = next(pictures)
    with av.open(out, "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "20"})
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in itertools.chain([first], pictures):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def _pictures(path: str | Path, indices: np.ndarray, size: int | None) -> Iterator[np.ndarray]:
    for part in np.array_split(indices, -(-len(indices) // AT_ONCE)):
        yield from _even(video_files.frames(path, part, size))


def _thinned(frames: int) -> np.ndarray:
    if frames <= LONGEST:
        return np.arange(max(frames, 1))
    return np.linspace(0, frames - 1, LONGEST).round().astype(np.int64)


def _even(pictures: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) without the last row or column where their number is odd: H.264 halves its colours."""
    height, width = pictures.shape[1:3]
    return np.ascontiguousarray(pictures[:, : height - height % 2, : width - width % 2])
