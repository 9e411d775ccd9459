"""Requests in on one pipe, frames or reasons out on another: the process that decodes and may die.

A request is one JSON line. An answer is one JSON line, followed by the bytes of the frames if the line names a shape.
Neither can carry code: a file that takes over the decoder gains nothing in the process that asked.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from math import ceil
from typing import Any

import av
import av.subtitles.stream  # noqa: F401  loaded now, like numpy.random: later, the memory limit may forbid it
import numpy as np
import numpy.random  # noqa: F401

from stan.data.video import backends
from stan.data.video.backends import NARROWEST
from stan.data.video.container import BROKEN, Refused, in_words
from stan.data.video.sampling import segments
from stan.data.video.timeline import FirstFrame, Timeline, read_timeline

_TEXT = (b"#EXTM3U", b"ffconcat", b"<?xml", b"<MPD", b"[playlist]", b"v=0", b"<!DOCTYPE", b"<html", b"#!")
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"%PDF")


def main() -> None:
    """Answer requests until the asking process closes its end of the pipe."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the libraries print must not mix with the answers
    av.logging.set_level(None)
    _send(answers, {"ready": backends.decord is not None})
    for line in sys.stdin.buffer:
        request = json.loads(line)
        # The alarm ends this process even if nobody is left to kill it.
        signal.alarm(ceil(request["limits"]["seconds"]) + 5)
        header, frames = answer(request)
        signal.alarm(0)
        _send(answers, header, frames)


def _send(pipe, header: dict[str, Any], frames: np.ndarray | None = None) -> None:
    pipe.write(json.dumps(header).encode() + b"\n")
    if frames is not None:
        pipe.write(np.ascontiguousarray(frames).data.cast("B"))
    pipe.flush()


def answer(request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray | None]:
    """Return the header of the answer and the frames, if any; a refusal is a header with `reason` and `remedy`."""
    limits = request["limits"]
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory"], resource.getrlimit(resource.RLIMIT_AS)[1]))
    try:
        refuse_by_first_bytes(request["path"])
        return _probe(request) if request["what"] == "probe" else _decode(request)
    except Refused as refused:
        return {"reason": refused.reason, "remedy": refused.remedy}, None
    except MemoryError:
        return {
            "reason": f"needs more than {limits['memory'] >> 20} MiB to decode",
            "remedy": "raise limits.memory",
        }, None
    except Exception as error:  # a file may make a decoder raise anything
        return {"reason": f"cannot be decoded ({in_words(error)})", "remedy": BROKEN}, None


def refuse_by_first_bytes(path: str) -> None:
    """Raise Refused for playlists and other text, pictures and documents, whatever their names."""
    with open(path, "rb") as file:
        head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(_TEXT):
        raise Refused("is a playlist or another text that names other files", "give the video file itself")
    if head.startswith(_PICTURES) or head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        raise Refused("is a picture or a document, no video", "give a video file such as MP4 or MKV")


def _probe(request: dict[str, Any]) -> tuple[dict[str, Any], None]:
    timeline = _timeline(request)
    first = _first(timeline)
    width, height = first.displayed
    return {
        "frames": len(timeline.pts),
        "fps": timeline.fps,
        "width": width,
        "height": height,
        "rotation": first.rotation,
        "duration": timeline.duration,
        "codec": timeline.codec,
    }, None


def _decode(request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
    timeline = _timeline(request)
    indices = _indices(request, len(timeline.pts))
    distinct, places = np.unique(indices, return_inverse=True)
    shape, narrow = _shape(request["size"], timeline)
    width, height = shape or timeline.stored
    needed = 3 * width * height * len(indices)
    if needed > request["limits"]["memory"] // 2:
        raise Refused(
            f"{len(indices)} frames of {width}x{height} need {needed >> 20} MiB",
            "ask for fewer or smaller frames",
        )
    decoder, frames = _by_either(request, distinct, timeline, shape, narrow)
    header = {
        "shape": [len(indices), *frames.shape[1:]],
        "indices": indices.tolist(),
        "times": timeline.times[indices].tolist(),
        "decoder": decoder,
    }
    return header, frames if np.array_equal(distinct, indices) else frames[places]


def _timeline(request: dict[str, Any]) -> Timeline:
    longest = request["limits"]["duration"]
    timeline = read_timeline(request["path"], request["limits"]["pixels"])
    if timeline.duration > longest:
        reason = f"lasts {timeline.duration:.0f} s, above the limit of {longest:.0f} s"
        raise Refused(reason, "cut it, or raise the limit")
    return timeline


def _indices(request: dict[str, Any], total: int) -> np.ndarray:
    if request["count"] is not None:
        rng = None if request["seed"] is None else np.random.default_rng(request["seed"])
        return segments(total, request["count"], rng)
    indices = np.array(request["indices"], dtype=np.int64)
    if indices.min() < 0 or indices.max() >= total:
        wrong = indices[(indices < 0) | (indices >= total)][0]
        raise Refused(
            f"has {total} frames, frame {wrong} was asked for", f"ask for indices from 0 to {total - 1}"
        )
    return indices


def _first(timeline: Timeline) -> FirstFrame:
    if timeline.first is None:
        raise Refused("has no frame that can be decoded")
    return timeline.first


def _shape(size: int | None, timeline: Timeline) -> tuple[tuple[int, int] | None, bool]:
    """Return the displayed (width, height) to decode to (None: native), and whether that is too narrow for decord."""
    if size is None:
        return None, min(timeline.stored) < NARROWEST
    width, height = _first(timeline).displayed
    short = min(width, height)
    return (round(width * size / short), round(height * size / short)), size < NARROWEST


def _by_either(request, indices, timeline, shape, narrow) -> tuple[str, np.ndarray]:
    """Return the decoder's name and its frames.

    PyAV decodes if decord may not be asked, fails, or repeats frames that PyAV tells apart.
    """
    path, reason = request["path"], ""
    if request["decoder"] != "pyav" and not narrow:
        try:
            frames = backends.by_decord(path, indices, timeline, shape)
            if _repeats_are_real(path, frames, indices, timeline, shape):
                return "decord", frames
        except MemoryError:
            raise
        except Exception as error:
            reason = error.reason if isinstance(error, Refused) else "decord failed"
    try:
        return "pyav", backends.by_pyav(path, indices, timeline, shape)
    except Refused as refused:
        raise Refused("; ".join(filter(None, [reason, refused.reason])), refused.remedy) from refused


def _repeats_are_real(path, frames, indices, timeline, shape) -> bool:
    """Return whether repeated frames are really equal.

    Still scenes repeat frames, but so does decord where a frame is damaged: PyAV decides which it is.
    """
    repeats = _equal_to_next(frames)
    if not repeats.any():
        return True
    doubtful = np.flatnonzero(np.append(repeats, False) | np.insert(repeats, 0, False))
    second = dict(
        zip(doubtful.tolist(), backends.by_pyav(path, indices[doubtful], timeline, shape), strict=True)
    )
    return all(np.array_equal(second[i], second[i + 1]) for i in np.flatnonzero(repeats).tolist())


def _equal_to_next(frames: np.ndarray) -> np.ndarray:
    """Return for each frame but the last whether it equals the next, bool (T - 1,).

    A few pixels tell most frames apart; only the others are compared whole.
    """
    equal = (frames[:-1, ::16, ::16] == frames[1:, ::16, ::16]).all(axis=(1, 2, 3))
    for i in np.flatnonzero(equal):
        equal[i] = np.array_equal(frames[i], frames[i + 1])
    return equal


if __name__ == "__main__":
    main()
