"""A proxy's path in; what a browser shows of it, by another reader than the suite's, out."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import av
import numpy as np


class Shown(NamedTuple):
    """Pictures, the seconds from which each is shown, and the second at which the last one ends."""

    pictures: list[np.ndarray]
    times: list[float]
    end: float


def shown(path: Path) -> Shown:
    """Read an H.264 file whose colours are tagged as limited BT.709, in square pixels, unturned."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.pix_fmt == "yuv420p"
        assert (stream.sample_aspect_ratio or 1) == 1
        frames = list(container.decode(stream))
        for frame in frames:
            tags = frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range
            assert tags == (1, 1, 1, 1) and frame.rotation == 0
        assert container.duration is not None
        pictures = [frame.to_ndarray(format="rgb24") for frame in frames]
        return Shown(pictures, [frame.time for frame in frames], container.duration / av.time_base)
