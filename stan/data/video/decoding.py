"""A video file, here or in a shard, in; its properties, its frames as a player shows them, or its sound out.

This is the only decoder. It runs in processes that can be killed.

What the file is decides who decodes: decord plain kinds of which it gives the right pictures, PyAV the others; `facts`
says which and why. PyAV takes over, too, where decord fails, ends its process, hangs, or repeats frames that in fact
differ. Whatever goes wrong with a file raises one error, `VideoError`; this process survives it.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stan.data.shards import Member, VideoFile
from stan.data.video.facts import VideoFacts
from stan.data.video.pool import POOL, WorkerDied
from stan.data.video.scaling import Scaling


class VideoError(ValueError):
    """Raised for a file without frames: `.path`, `.reason` and `.remedy`; the message is `file: reason; remedy`."""

    def __init__(self, path: str | VideoFile, reason: str, remedy: str):
        super().__init__(f"{_printable(path)}: {reason}; {remedy}")
        self.path, self.reason, self.remedy = str(path), reason, remedy

    def __reduce__(self):
        return VideoError, (self.path, self.reason, self.remedy)


@dataclass(frozen=True)
class Limits:
    """What decoding one file may cost; a file that needs more raises VideoError."""

    seconds: float = 60.0
    """Wall time of one attempt; there are two at most, decord's and PyAV's."""
    memory: int = 4 << 30
    """Bytes of address space of the decoding process."""
    pixels: int = 7680 * 4320
    """Width times height of a frame."""
    duration: float = 4 * 3600.0
    """Length of the video, in seconds."""


DEFAULT = Limits()


@dataclass(frozen=True)
class VideoInfo:
    """Properties of a file; width and height as displayed, after the turn of `rotation` degrees clockwise."""

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
    facts: VideoFacts
    """All that was found, assumed and corrected, and which decoder reads the file and why."""


@dataclass(frozen=True)
class Sample:
    """Frames that are spread evenly over the time of a file."""

    indices: np.ndarray
    """int64 (T,), rising, counted in the order of display. A frame that is shown for long comes several times."""
    times: np.ndarray
    """float64 (T,), seconds from the start of the file at which they are shown."""


@dataclass(frozen=True)
class Decoded:
    """Frames and their places in the file."""

    frames: np.ndarray
    """uint8 (T, H, W, 3), RGB, as displayed."""
    indices: np.ndarray
    """int64 (T,), counted in the order of display."""
    times: np.ndarray
    """float64 (T,), seconds from the start of the file, from the file's own stamps; for segments of a file with a
    variable rate, the moment for which a frame was chosen, while it is shown."""
    decoder: str
    """decord, pyav or pillow."""
    facts: VideoFacts
    """As in `VideoInfo`."""


@dataclass(frozen=True)
class Request:
    """The arguments of one `decode`, for `decode_many`."""

    path: str | VideoFile
    indices: Sequence[int] | np.ndarray | int
    size: int | Scaling | None = None


def probe(path: str | VideoFile, limits: Limits = DEFAULT) -> VideoInfo:
    """Return the properties of the main video stream; this reads the whole file once and decodes one frame.

    Raises VideoError.
    """
    header, _ = _ask({"what": "probe"}, path, limits)
    facts = VideoFacts.of(header["facts"])
    return VideoInfo(
        str(path),
        facts.frames,
        facts.fps,
        *facts.displayed,
        facts.rotation,
        facts.duration,
        facts.codec,
        facts,
    )


def sample(path: str | VideoFile, count: int, limits: Limits = DEFAULT) -> Sample:
    """Return which frames lie in the middle of `count` equal segments of the file's time: those that `decode` takes.

    Raises VideoError.
    """
    request = {"what": "sample", "count": count, "indices": None, "seed": None}
    header, _ = _ask(request, path, limits)
    return Sample(np.array(header["indices"]), np.array(header["times"]))


def decode(
    path: str | VideoFile,
    indices: Sequence[int] | np.ndarray | int,
    size: int | Scaling | None = None,
    rng: np.random.Generator | None = None,
    limits: Limits = DEFAULT,
) -> Decoded:
    """Return exact frames of the main video stream.

    indices: frame numbers in any order, also repeated; or a number of segments, equal in time, whose centre frames
    are taken or, with `rng`, a random frame of each. size: pixels of the short side, with the aspect ratio kept; or the
    scaling by which a CLIP makes squares, which then needn't be handed over whole; None leaves the frames as they are.
    Raises VideoError for whatever the file causes, ValueError for no indices or a size below 1.
    """
    count = int(indices) if isinstance(indices, (int, np.integer)) else None
    listed = None if count is not None else np.asarray(indices, dtype=np.int64).ravel().tolist()
    scaling, side = (size, None) if isinstance(size, Scaling) else (None, size)
    if side is not None and side < 1 or listed == [] or count is not None and count < 1:
        raise ValueError(
            f"{_printable(path)}: ask for at least one frame of at least one pixel, not {indices}, {size}"
        )
    request = {
        "what": "decode",
        "count": count,
        "indices": listed,
        "size": None if side is None else int(side),
        "scaling": None if scaling is None else asdict(scaling),
        "seed": None if rng is None else int(rng.integers(2**63)),
    }
    header, frames = _ask(request, path, limits)
    assert frames is not None
    places = np.array(header["indices"]), np.array(header["times"])
    return Decoded(frames, *places, header["decoder"], VideoFacts.of(header["facts"]))


def frames(
    path: str | VideoFile,
    indices: Sequence[int] | np.ndarray | int,
    size: int | Scaling | None = None,
    limits: Limits = DEFAULT,
) -> np.ndarray:
    """Return frames, uint8 (T, H, W, 3); arguments and errors are those of `decode`."""
    return decode(path, indices, size, limits=limits).frames


def sound(path: str | VideoFile, start: float, end: float, limits: Limits = DEFAULT) -> np.ndarray | None:
    """Return what is heard from `start` to `end`, in seconds from the start of the file; None if there is no sound.

    int16 (samples, 1 or 2 channels), 48,000 samples per second; zeros where the file's track is silent or damaged.
    Raises VideoError.
    """
    request = {"what": "sound", "start": float(start), "end": float(end)}
    _, samples = _ask(request, path, limits)
    return None if samples is None else samples.view(np.int16)


def decode_many(
    requests: Iterable[Request], workers: int | None = None, limits: Limits = DEFAULT
) -> Iterator[Decoded | VideoError]:
    """Yield the answer to each request in order; several workers decode a few videos ahead of the reader.

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
    """End the decoding processes; the next call starts new ones. This also happens when Python ends."""
    POOL.close()


def _decoded_or_error(request: Request, limits: Limits) -> Decoded | VideoError:
    try:
        return decode(request.path, request.indices, request.size, limits=limits)
    except VideoError as error:
        return error


def _ask(
    request: dict[str, Any], path: str | VideoFile, limits: Limits
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Return the answer of decord with PyAV as its fallback or, if that ended the worker, of PyAV alone."""
    endings = []
    with _local(path) as file:
        request = {**request, "path": _checked(file), "limits": asdict(limits)}
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


@contextmanager
def _local(path: str | VideoFile) -> Generator[str | Path]:
    """Yield the path itself; of a member of a shard, a copy that is there while the context is open."""
    if not isinstance(path, Member):
        yield path
        return
    if path.size == 0:
        raise VideoError(path, "is empty", "pack it again")
    with tempfile.TemporaryDirectory(prefix="stan-member-") as folder:
        try:
            file = path.copy_to(Path(folder))
        except OSError as error:
            raise VideoError(
                path, f"cannot be read ({error})", "bring its shard back, or pack it again"
            ) from error
        yield file


def _checked(path: str | Path) -> str:
    """Return the absolute path of a regular local file that is not empty; as such it cannot pass for a URL.

    Raises VideoError for anything else.
    """
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


def _printable(path: str | VideoFile) -> str:
    """Return the path as text that can be printed: file names may hold bytes that are no text."""
    return str(path) if isinstance(path, Member) else os.fsencode(path).decode(errors="replace")
