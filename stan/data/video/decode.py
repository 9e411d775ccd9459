"""A local video file in, its properties or exact frames out: the only decoder, run where it can be killed.

decord decodes; PyAV takes over where decord fails, ends its process, hangs or repeats frames that differ. Both
turn frames as the file asks. Whatever goes wrong with a file is one `VideoError`; this process survives it.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stan.data.video.pool import POOL, WorkerDied


class VideoError(ValueError):
    """A file that gives no frames: `.path`, `.reason` and `.remedy`; the message is `file: reason; remedy`."""

    def __init__(self, path: str | Path, reason: str, remedy: str):
        super().__init__(f"{_printable(path)}: {reason}; {remedy}")
        self.path, self.reason, self.remedy = str(path), reason, remedy

    def __reduce__(self):
        return VideoError, (self.path, self.reason, self.remedy)


@dataclass(frozen=True)
class Limits:
    """What one file may cost; whatever needs more is a VideoError."""

    seconds: float = 60.0
    """Wall time of one attempt; there are two at most, decord's and PyAV's."""
    memory: int = 4 << 30
    """Bytes of address space of the decoding process."""
    pixels: int = 7680 * 4320
    """Width times height."""
    duration: float = 4 * 3600.0
    """Seconds."""


DEFAULT = Limits()


@dataclass(frozen=True)
class VideoInfo:
    """What a file holds; width and height as displayed, after the turn of `rotation` degrees clockwise."""

    path: str
    frames: int
    """Frames that can be read, which may be fewer than the header promises."""
    fps: float
    """Frames per second, on average."""
    width: int
    height: int
    rotation: int
    duration: float
    """Seconds from the first frame to the end of the last."""
    codec: str


@dataclass(frozen=True)
class Decoded:
    """Frames and where they stand in the file."""

    frames: np.ndarray
    """uint8 (T, H, W, 3), RGB, as displayed."""
    indices: np.ndarray
    """int64 (T,), counted in the order of display."""
    times: np.ndarray
    """float64 (T,), seconds from the start of the file, from the file's own stamps."""
    decoder: str
    """decord or pyav."""


@dataclass(frozen=True)
class Request:
    """The arguments of one `decode`, for `decode_many`."""

    path: str | Path
    indices: Sequence[int] | np.ndarray | int
    size: int | None = None


def probe(path: str | Path, limits: Limits = DEFAULT) -> VideoInfo:
    """Properties of the main video stream; reads the whole file once, decodes one frame.

    Raises VideoError.
    """
    header, _ = _ask({"what": "probe", "path": _checked(path)}, path, limits)
    return VideoInfo(path=str(path), **header)


def decode(
    path: str | Path,
    indices: Sequence[int] | np.ndarray | int,
    size: int | None = None,
    rng: np.random.Generator | None = None,
    limits: Limits = DEFAULT,
) -> Decoded:
    """Exact frames of the main video stream.

    indices: in any order, also repeated; or a number of frames: the centres of as many segments, or with `rng`
    a random frame of each. size: pixels of the short side, the aspect kept; None leaves the frames as they are.
    Raises VideoError for whatever the file causes, ValueError for no indices or a size below 1.
    """
    count = int(indices) if isinstance(indices, (int, np.integer)) else None
    listed = None if count is not None else np.asarray(indices, dtype=np.int64).ravel().tolist()
    if size is not None and size < 1 or listed == [] or count is not None and count < 1:
        raise ValueError(
            f"{_printable(path)}: ask for at least one frame of at least one pixel, not {indices}, {size}"
        )
    request = {
        "what": "decode",
        "path": _checked(path),
        "count": count,
        "indices": listed,
        "size": None if size is None else int(size),
        "seed": None if rng is None else int(rng.integers(2**63)),
    }
    header, frames = _ask(request, path, limits)
    return Decoded(frames, np.array(header["indices"]), np.array(header["times"]), header["decoder"])


def frames(
    path: str | Path,
    indices: Sequence[int] | np.ndarray | int,
    size: int | None = None,
    limits: Limits = DEFAULT,
) -> np.ndarray:
    """uint8 (T, H, W, 3); arguments and errors as of `decode`."""
    return decode(path, indices, size, limits=limits).frames


def decode_many(
    requests: Iterable[Request], workers: int | None = None, limits: Limits = DEFAULT
) -> Iterator[Decoded | VideoError]:
    """The answer to each request in order, by several workers at once, a few videos ahead of who reads.

    A file that cannot be decoded gives its VideoError in its place, and the rest goes on.
    """
    workers = workers or POOL.size
    waiting: deque = deque()
    threads = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        for request in requests:
            waiting.append(threads.submit(_decoded_or_error, request, limits))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)


def close() -> None:
    """Ends the decoding processes; the next call starts new ones. Done by itself when Python ends."""
    POOL.close()


def _decoded_or_error(request: Request, limits: Limits) -> Decoded | VideoError:
    try:
        return decode(request.path, request.indices, request.size, limits=limits)
    except VideoError as error:
        return error


def _ask(
    request: dict[str, Any], path: str | Path, limits: Limits
) -> tuple[dict[str, Any], np.ndarray | None]:
    """The first answer of decord with PyAV behind it, or of PyAV alone where that ended the worker."""
    request = {**request, "limits": asdict(limits), "decoder": "any"}
    endings = []
    for decoder in ("any", "pyav") if request["what"] == "decode" else ("any",):
        try:
            header, answer = POOL.ask({**request, "decoder": decoder}, limits.seconds)
        except WorkerDied as died:
            endings.append(str(died))
            continue
        if "reason" in header:
            raise VideoError(path, header["reason"], header["remedy"])
        return header, answer
    ways = " and ".join(dict.fromkeys(endings))
    raise VideoError(
        path, f"the decoding process {ways}", "re-encode the file, leave it out, or raise the limits"
    )


def _checked(path: str | Path) -> str:
    """Path of a regular local file that is not empty; absolute, so that it cannot pass for a URL."""
    try:
        state = os.stat(path)
    except (OSError, ValueError) as error:
        reason = (
            "there is no such file"
            if isinstance(error, FileNotFoundError)
            else f"cannot be reached ({error})"
        )
        raise VideoError(
            path, reason, "check the name, or bring the file here: only local files are read"
        ) from None
    if stat.S_ISDIR(state.st_mode):
        raise VideoError(path, "is a folder", "name a video file in it")
    if not stat.S_ISREG(state.st_mode):
        raise VideoError(path, "is no regular file", "copy the video to a file first")
    if state.st_size == 0:
        raise VideoError(path, "is empty", "fetch it again")
    if not os.access(path, os.R_OK):
        raise VideoError(path, "may not be read", "change its permissions")
    return os.path.abspath(path)


def _printable(path: str | Path) -> str:
    """File names may hold bytes that are no text."""
    return os.fsencode(path).decode(errors="replace")
