"""A film's decoded frames in, RGB pictures as a player shows them out: for PyAV's frames; decord does the same itself.

Conversion and scaling are FFmpeg's; for 8-bit 4:2:0 with the same filters and settings as decord's own, so that both
decoders give the same bytes, for other pixels with exact rounding and all colour samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from jaxtyping import UInt8

from stan.data.video import colour
from stan.data.video.colour import SCALER_MATRICES
from stan.data.video.first_frame import FirstFrame
from stan.data.video.geometry import Geometry, Size

Picture = UInt8[np.ndarray, "H W 3"]
PLAIN_PIXELS = ("yuv420p", "yuvj420p")
EXACT = "bilinear+accurate_rnd+full_chroma_int+full_chroma_inp"
Step = tuple[str, str]
"""A filter of FFmpeg and its arguments."""


class Pictures:
    """Turns frames of one film into pictures of one size, whatever size the frames have."""

    def __init__(self, first: FirstFrame, geometry: Geometry, size: Size):
        """size: width and height of the pictures."""
        self._first, self._geometry, self._colour = first, geometry, first.colours
        self._size = size
        self._graphs: dict[tuple[int, int, str], Graph] = {}

    def __call__(self, frame: av.VideoFrame) -> Picture:
        name = frame.width, frame.height, frame.format.name
        if name not in self._graphs:
            self._graphs[name] = self._graph(frame)
        self._graphs[name].push(frame)
        shown = self._graphs[name].pull()
        assert isinstance(shown, av.VideoFrame)
        return self._finished(shown.to_ndarray())

    def _graph(self, frame: av.VideoFrame) -> Graph:
        """Return the filters from a frame to 8-bit RGB, or 16-bit RGB that still is HDR, or RGB with alpha."""
        steps = self._geometry.filters() if (frame.width, frame.height) == self._first.stored else []
        # as planes: FFmpeg's own order of 16-bit RGB turns saturated green blue where the size stays
        kind = "gbrp16le" if self._colour.hdr else "rgba" if self._first.alpha else "rgb24"
        return graph(frame, [*steps, ("scale", self._scaling(frame)), ("format", kind)])

    def _scaling(self, frame: av.VideoFrame) -> str:
        width, height = self._size
        plain = frame.format.name in PLAIN_PIXELS and self._geometry.sample_aspect == 1
        plain &= (frame.width, frame.height) == self._first.stored
        words = [f"{width}:{height}", "flags=" + ("bilinear" if plain else EXACT)]
        if self._colour.matrix in SCALER_MATRICES:
            words.append(f"in_color_matrix={SCALER_MATRICES[self._colour.matrix]}")
        if self._colour.matrix != "rgb":
            words.append(f"in_range={self._colour.range}")
        return ":".join(words)

    def _finished(self, shown: np.ndarray) -> Picture:
        if self._colour.hdr:
            return colour.to_sdr(shown, self._colour.hdr)
        if self._first.alpha:
            return colour.over_background(shown)
        if self._first.pixel_format.startswith("gray") and self._colour.range == "limited":
            return colour.stretched(shown)  # FFmpeg takes every grey picture for full range
        return shown


def deinterlaced(frames: Iterator[av.VideoFrame], time_base: Fraction) -> Iterator[av.VideoFrame]:
    """Yield frames in order with the first field's lines only, those between them made up from it and its neighbours.

    Frames that are not interlaced stay as they are. This needs a frame before and one behind.
    """
    made: Graph | None = None
    for frame in frames:
        made = made or graph(frame, [("bwdif", "mode=send_frame:deint=interlaced")], time_base)
        made.push(frame)
        yield from _ready(made, time_base)
    if made is not None:
        made.push(None)
        yield from _ready(made, time_base)


def graph(frame: av.VideoFrame, steps: list[Step], time_base: Fraction | None = None) -> Graph:
    """Return FFmpeg's filters for frames like this one, one after the other."""
    made = Graph()
    made.threads = 1  # workers run side by side instead
    source = made.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=time_base or frame.time_base or Fraction(1),
    )
    nodes = [made.add(name, arguments or None) for name, arguments in steps]
    made.link_nodes(source, *nodes, made.add("buffersink")).configure()
    return made


def _ready(made: Graph, time_base: Fraction) -> Iterator[av.VideoFrame]:
    while True:
        try:
            frame = made.pull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(frame, av.VideoFrame) and frame.pts is not None and frame.time_base
        # the filter counts in half units, for fields
        frame.pts = round(frame.pts * frame.time_base / time_base)
        yield frame
