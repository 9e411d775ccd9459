"""A film's timeline in; which decoder reads it and why, and the record of what it is, out."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from stan.data.video.colour import PEAK, SCALER_MATRICES, WHITE
from stan.data.video.facts import VideoFacts
from stan.data.video.geometry import WIDEST_PIXEL
from stan.data.video.pictures import PLAIN_PIXELS
from stan.data.video.timeline import Timeline

NARROWEST = 64
"""Smallest side in pixels for decord, which returns wrong shapes for narrower pictures."""
DECORD_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
DECORD_CODECS = ("h264", "hevc")
SPARSE = 2
"""Of H.264, PyAV passes over pictures that no other picture needs; it is faster if only one in so many is wanted."""


def decord_is_wrong(timeline: Timeline) -> str:
    """Return why decord may not read the film; empty if it gives the pictures that PyAV gives.

    Each reason is a kind of file of which decord 0.6.0 was seen to give other pictures, or none.
    """
    headers, first, shape = timeline.headers, timeline.first, timeline.geometry
    assert first is not None
    colours = first.colours
    reasons = {
        f"its container is {headers.container}": headers.container not in DECORD_CONTAINERS,
        f"its codec is {headers.codec}": headers.codec not in DECORD_CODECS,
        f"its pixels are {first.pixel_format}": first.pixel_format not in PLAIN_PIXELS,
        "it is in fragments": headers.fragmented,
        "packets don't tell its frames": not timeline.regular,
        "it has several films": headers.films > 1,
        "it has thumbnails": any(stream.role == "thumbnails" for stream in headers.streams),
        "its groups of pictures are open, or refreshed bit by bit": timeline.open_groups,
        "its size changes": timeline.size_changes,
        "it is HDR": bool(colours.hdr),
        "it is interlaced": interlaced(timeline),
        "it is cut, mirrored or stretched": not shape.plain,
        "it is turned by another container than MP4": shape.rotation != 0
        and headers.container != DECORD_CONTAINERS[0],
        "its colours are untagged HD": "matrix" in colours.assumed and colours.matrix != "bt601",
        f"its colours are {colours.matrix}": colours.matrix not in SCALER_MATRICES,
        "its range is untagged, but full": "range" in colours.assumed and colours.range == "full",
        f"its pictures are narrower than {NARROWEST} pixels": min(shape.stored) < NARROWEST,
    }
    return next((reason for reason, true in reasons.items() if true), "")


def passes_over(timeline: Timeline, indices: np.ndarray) -> bool:
    """Return whether so few pictures are wanted that PyAV should pass over others."""
    span = int(indices[-1]) - int(indices[0]) + 1
    fit = timeline.headers.codec == "h264" and not interlaced(timeline) and not timeline.by_order
    return fit and span > SPARSE * len(indices)


def interlaced(timeline: Timeline) -> bool:
    assert timeline.first is not None
    return timeline.first.interlaced or timeline.headers.interlaced


def is_dolby_vision(timeline: Timeline) -> bool:
    assert timeline.first is not None
    return timeline.first.dolby_vision or timeline.headers.dolby_vision is not None


def facts(timeline: Timeline, decord_is_there: bool) -> VideoFacts:
    """Return the record of a film. Raises Refused if no frame of it decodes."""
    headers, first, shape = timeline.headers, timeline.first, timeline.geometry
    assert first is not None
    wrong = "decord 0.6 is not installed" if not decord_is_there else decord_is_wrong(timeline)
    clock = timeline.pts[[0, -1]] * float(headers.time_base)
    aspect = shape.sample_aspect
    return VideoFacts(
        container=headers.container,
        streams=headers.streams,
        stream=headers.stream,
        codec=headers.codec,
        profile=headers.profile,
        stored=shape.stored,
        crop=shape.crop,
        sample_aspect=(aspect.numerator, aspect.denominator),
        rotation=shape.rotation,
        mirrored=shape.mirrored,
        displayed=shape.displayed,
        pixel_format=first.pixel_format,
        bit_depth=first.bit_depth,
        alpha=first.alpha,
        **asdict(first.colours),
        dolby_vision=is_dolby_vision(timeline),
        interlaced=interlaced(timeline),
        frames=len(timeline.pts),
        fps=timeline.fps,
        constant_rate=timeline.constant_rate,
        first_time=float(clock[0]),
        last_time=float(clock[1]),
        duration=timeline.duration,
        duration_by_container=headers.duration,
        duration_by_stream=headers.film.duration,
        key_distance=timeline.key_distance,
        open_groups=timeline.open_groups,
        size_changes=timeline.size_changes,
        decoder="pyav" if wrong else "decord",
        reason=wrong or _PLAIN[headers.codec],
        corrections=_true(_corrections(timeline)),
        warnings=_true(_warnings(timeline)),
    )


_PLAIN = {
    "h264": "a plain film; PyAV, which gives the same pictures, where few of them are wanted",
    "hevc": "a plain film",
}


def _corrections(timeline: Timeline) -> dict[str, bool]:
    """Return what is done to stored pictures and times, and whether it is done to these."""
    headers, first, shape = timeline.headers, timeline.first, timeline.geometry
    assert first is not None
    start = float(headers.start)
    return {
        "cut to the clean aperture": any(shape.crop),
        f"stretched by {shape.sample_aspect} to square pixels": shape.sample_aspect != 1,
        "mirrored": shape.mirrored,
        f"turned by {shape.rotation} degrees": shape.rotation != 0,
        f"{first.colours.hdr} brought to SDR: {WHITE:.0f} cd/m2 is white, {PEAK:.0f} the brightest": bool(
            first.colours.hdr
        ),
        "shown over white": first.alpha,
        "deinterlaced": interlaced(timeline),
        "all pictures in the size of the first": timeline.size_changes,
        f"times counted from {start:.3f} s": start != 0,
        "sampled evenly in time, not by frame number": not timeline.constant_rate,
    }


def _warnings(timeline: Timeline) -> dict[str, bool]:
    """Return what may be doubtful about a file, and whether it is about this one."""
    headers, first = timeline.headers, timeline.first
    assert first is not None
    colours, aspect = first.colours, first.sample_aspect
    odd = not 1 / WIDEST_PIXEL <= aspect <= WIDEST_PIXEL
    told, known = headers.film.duration or headers.duration, headers.dolby_vision
    return {
        f"its matrix {colours.matrix} is shown as BT.601": colours.matrix not in {*SCALER_MATRICES, "rgb"},
        f"its pixels' aspect ratio of {aspect} is not believed": odd,
        "only the base layer of Dolby Vision is shown": is_dolby_vision(timeline),
        "its colours are known to Dolby Vision alone, and wrong here": known is not None
        and not known.shown_by_others,
        "frames are hidden, or their times missing or equal": not timeline.regular,
        f"its headers promise {told or 0:.2f} s, there are {timeline.duration:.2f} s": told is not None
        and abs(told - timeline.duration) > max(1.0, 2 / timeline.fps),
    }


def _true(told: dict[str, bool]) -> tuple[str, ...]:
    return tuple(text for text, true in told.items() if true)
