"""A local video file and a span of its time in; the sound that is heard then, as samples, out; for workers only."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from jaxtyping import Int16

from stan.data.video.container import OPEN_OPTIONS
from stan.data.video.timeline import IN_ORDER

RATE = 48_000
"""Samples per second."""
BEFORE = 0.5
"""Seconds before the span at which decoding begins: the first sound after a jump may be incomplete."""


def heard(path: str, start: float, end: float) -> Int16[np.ndarray, "samples channels"] | None:
    """Return what is heard from `start` to `end`, in seconds from the start of the file, in one channel or two.

    Where the track has no sound, or damaged sound, there is silence. Return None for a file without a track that can be
    decoded.
    """
    try:
        container = av.open(path, metadata_errors="ignore", options=OPEN_OPTIONS)
    except av.FFmpegError:
        return None  # an animated WebP, which FFmpeg doesn't open, has no sound
    with container:
        stream = _track(container)
        if stream is None:
            return None
        origin = (container.start_time or 0) / av.time_base
        _seek(container, stream, origin + max(start - BEFORE, 0.0))
        return _placed(_resampled(container, stream, origin + end), origin + start, end - start)


def _track(container: InputContainer) -> AudioStream | None:
    """Return the track that is marked as the one to play, or the first."""
    tracks = [stream for stream in container.streams.audio if stream.codec_context is not None]
    return max(tracks, key=lambda s: (bool(s.disposition & Disposition.default), -s.index), default=None)


def _seek(container: InputContainer, stream: AudioStream, seconds: float) -> None:
    if IN_ORDER.isdisjoint(container.format.name.split(",")) and stream.time_base:
        container.seek(int(seconds / stream.time_base), stream=stream)


def _resampled(container: InputContainer, stream: AudioStream, end: float) -> Iterator[av.AudioFrame]:
    """Yield the track's sound up to `end`, brought to one form; in broadcasts, its own form may change on the way."""
    layout = "mono" if stream.codec_context.channels == 1 else "stereo"
    resampler, form = av.AudioResampler("s16", layout, RATE), None
    for frame in _frames(container, stream, end):
        found = frame.format.name, frame.layout.name, frame.sample_rate
        if form not in {None, found}:
            yield from resampler.resample(None)
            resampler = av.AudioResampler("s16", layout, RATE)
        form = found
        yield from resampler.resample(frame)
    if form is not None:
        yield from resampler.resample(None)


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
