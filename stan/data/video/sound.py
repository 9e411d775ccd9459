"""A local video file and a span of its time in; the sound that is heard then, as samples, out; for workers only."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, groupby

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from jaxtyping import Int16

from stan.data.video.container import opened
from stan.data.video.timeline import IN_ORDER

RATE = 48_000
"""Samples per second."""
BEFORE = 0.5
"""Seconds before the span at which decoding begins: the first sound after a jump may be incomplete."""


def heard(path: str, start: float, end: float) -> Int16[np.ndarray, "samples channels"] | None:
    """Return what is heard from `start` to `end`, in seconds from the start of the file, in one channel or two.

    Where the track has no sound, or damaged sound, there is silence. Return None for a file without a track that can be
    decoded. Raises Refused.
    """
    with opened(path) as film:
        stream, origin = _track(film.container), float(film.start)
        if stream is None:
            return None
        if film.container.format.name not in IN_ORDER and stream.time_base:
            sought = origin + max(start - BEFORE, 0.0)
            film.container.seek(int(sought / stream.time_base), stream=stream)
        frames = _resampled(film.container, stream, origin + end)
        return _placed(frames, origin + start, end - start)


def _track(container: InputContainer) -> AudioStream | None:
    """Return the track that is marked as the one to play, or the first."""
    tracks = [stream for stream in container.streams.audio if stream.codec_context is not None]
    return max(tracks, key=lambda s: (bool(s.disposition & Disposition.default), -s.index), default=None)


def _resampled(container: InputContainer, stream: AudioStream, end: float) -> Iterator[av.AudioFrame]:
    """Yield the track's sound up to `end`, brought to one form; in broadcasts, its own form may change on the way."""
    layout = "mono" if stream.codec_context.channels == 1 else "stereo"
    for _, alike in groupby(_frames(container, stream, end), _form):
        resampler = av.AudioResampler("s16", layout, RATE)
        for frame in chain(alike, [None]):  # None makes it give what it holds back
            yield from resampler.resample(frame)


def _form(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _frames(container: InputContainer, stream: AudioStream, end: float) -> Iterator[av.AudioFrame]:
    """Yield every frame that decodes, up to `end`."""
    for packet in container.demux(stream):
        try:
            yield from stream.codec_context.decode(packet if packet.size else None)
        except av.FFmpegError:
            continue
        if packet.pts is not None and packet.pts * packet.time_base > end:
            return


def _placed(
    frames: Iterator[av.AudioFrame], start: float, seconds: float
) -> Int16[np.ndarray, "samples channels"] | None:
    """Return the samples of a span, each at its time; None if there is no frame at all."""
    samples, following = None, 0
    for frame in frames:
        part = frame.to_ndarray().reshape(frame.samples, -1)
        if samples is None:
            samples = np.zeros((max(round(seconds * RATE), 1), part.shape[1]), np.int16)
        place = following if frame.time is None else round((frame.time - start) * RATE)
        following = place + len(part)
        first, last = max(place, 0), min(following, len(samples))
        if first < last:
            samples[first:last] = part[first - place : last - place]
    return samples
