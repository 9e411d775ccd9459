"""Requests in on one pipe, frames, sound or reasons out on another: the process that decodes and may die.

A request is one JSON line. An answer is one JSON line, followed by the bytes of an array if the line names a shape.
Neither can carry code: a file that takes over the decoder gains nothing in the process that asked.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
from dataclasses import asdict
from math import ceil
from typing import Any

import av
import av.subtitles.stream  # loaded now, like numpy.random: later, the memory limit may forbid it
import numpy as np
import numpy.random

from stan.data.video import backends, first_bytes
from stan.data.video.container import BROKEN, Refused, in_words
from stan.data.video.reading import Reading, reading
from stan.data.video.sampling import segments, segments_in_time
from stan.data.video.scaling import Form, Scaling


def main() -> None:
    """Answer requests until the asking process closes its end of the pipe."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the libraries print must not mix with the answers
    av.logging.set_level(None)
    gc.freeze()
    _send(answers, {"ready": backends.decord is not None})
    for line in sys.stdin.buffer:
        request = json.loads(line)
        # The alarm ends this process even if nobody is left to kill it.
        signal.alarm(ceil(request["limits"]["seconds"]) + 5)
        header, array = answer(request)
        signal.alarm(0)
        _send(answers, header, array)
        gc.collect()  # a film's filters are a cycle in PyAV 19: with them, their pictures would stay


def _send(pipe, header: dict[str, Any], array: np.ndarray | None = None) -> None:
    pipe.write(json.dumps(header).encode() + b"\n")
    if array is not None:
        pipe.write(np.ascontiguousarray(array).data.cast("B"))
    pipe.flush()


def answer(request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray | None]:
    """Return the header of the answer and its array, if any; a refusal is a header with `reason` and `remedy`."""
    limits = request["limits"]
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory"], resource.getrlimit(resource.RLIMIT_AS)[1]))
    try:
        _refuse_by_first_bytes(request["path"])
        return _ANSWERS[request["what"]](request)
    except Refused as refused:
        return {"reason": refused.reason, "remedy": refused.remedy}, None
    except MemoryError:
        return {
            "reason": f"needs more than {limits['memory'] >> 20} MiB to decode",
            "remedy": "raise limits.memory",
        }, None
    except Exception as error:  # a file may make a decoder raise anything
        return {"reason": f"cannot be decoded ({in_words(error)})", "remedy": BROKEN}, None


def _refuse_by_first_bytes(path: str) -> None:
    """Raise Refused for playlists and other text, pictures and documents, whatever their names."""
    head = first_bytes.read(path)
    if first_bytes.is_text(head):
        raise Refused("is a playlist or another text that names other files", "give the video file itself")
    if first_bytes.is_picture(head):
        raise Refused("is a picture or a document, no video", "give a video file such as MP4 or MKV")


def _probe(request: dict[str, Any]) -> tuple[dict[str, Any], None]:
    return {"facts": asdict(_film(request).facts)}, None


def _sample(request: dict[str, Any]) -> tuple[dict[str, Any], None]:
    indices, times = _moments(request, _film(request))
    return {"indices": indices.tolist(), "times": times.tolist()}, None


def _decode(request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
    film = _film(request)
    indices, times = _moments(request, film)
    distinct, places = np.unique(indices, return_inverse=True)
    form = _form(request, film.facts.displayed)
    width, height = (form.size, form.size) if isinstance(form, Scaling) else form or film.facts.displayed
    needed = 3 * width * height * len(indices)
    if needed > request["limits"]["memory"] // 2:
        raise Refused(
            f"{len(indices)} frames of {width}x{height} need {needed >> 20} MiB",
            "ask for fewer or smaller frames",
        )
    decoder, frames = film.read(distinct, form, request["decoder"])
    header = {
        "shape": [len(indices), *frames.shape[1:]],
        "indices": indices.tolist(),
        "times": times.tolist(),
        "decoder": decoder,
        "facts": asdict(film.facts),
    }
    return header, frames if np.array_equal(distinct, indices) else frames[places]


def _sound(request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray | None]:
    samples = _film(request).heard(request["start"], request["end"])
    if samples is None:
        return {}, None
    parts = samples.view(np.uint8)
    return {"shape": parts.shape}, parts


def _film(request: dict[str, Any]) -> Reading:
    state, limits = os.stat(request["path"]), request["limits"]
    film = reading(request["path"], (state.st_size, state.st_mtime_ns, state.st_ino), limits["pixels"])
    if film.facts.duration > limits["duration"]:
        reason = f"lasts {film.facts.duration:.0f} s, above the limit of {limits['duration']:.0f} s"
        raise Refused(reason, "cut it, or raise the limit")
    return film


def _moments(request: dict[str, Any], film: Reading) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the frames that are asked for, and the times at which they are shown."""
    if request["count"] is not None:
        rng = None if request["seed"] is None else np.random.default_rng(request["seed"])
        if not film.facts.constant_rate:
            end = film.times[0] + film.facts.duration
            return segments_in_time(film.times, end, request["count"], rng)
        indices = segments(film.facts.frames, request["count"], rng)
        return indices, film.times[indices]
    indices, total = np.array(request["indices"], dtype=np.int64), film.facts.frames
    if indices.min() < 0 or indices.max() >= total:
        wrong = indices[(indices < 0) | (indices >= total)][0]
        raise Refused(
            f"has {total} frames, frame {wrong} was asked for", f"ask for indices from 0 to {total - 1}"
        )
    return indices, film.times[indices]


def _form(request: dict[str, Any], displayed: tuple[int, int]) -> Form:
    """Return what the pictures are to be brought to."""
    if request["scaling"] is not None:
        return Scaling(**request["scaling"])
    if (short_side := request["size"]) is None:
        return None
    width, height = displayed
    short = min(width, height)
    return round(width * short_side / short), round(height * short_side / short)


_ANSWERS = {"probe": _probe, "sample": _sample, "decode": _decode, "sound": _sound}

if __name__ == "__main__":
    main()
