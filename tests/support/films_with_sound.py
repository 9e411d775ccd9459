"""A path in; a small film there with a tone in its track of sound out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SECONDS, ONSET = 3.0, 1.0
"""Length of the film, and where its tone begins."""


def write_with_sound(
    path: Path,
    codec: str = "aac",
    rate: int = 44_100,
    layout: str = "stereo",
    begins: float = 0.0,
    muxer: dict[str, str] | None = None,
) -> Path:
    """Write a film of SECONDS whose track begins at a time, and has a tone from ONSET on."""
    seconds = begins + np.arange(round((SECONDS - begins) * rate)) / rate
    tone = np.where(seconds >= ONSET, 12_000 * np.sin(2 * np.pi * 440 * seconds), 0).astype(np.int16)
    with av.open(str(path), "w", options=muxer or {}) as container:
        film = container.add_stream("libx264", rate=25)
        film.width, film.height, film.pix_fmt = 64, 64, "yuv420p"
        track = container.add_stream(codec, rate=rate, layout=layout)
        for number in range(round(25 * SECONDS)):
            picture = np.full((64, 64, 3), number, np.uint8)
            container.mux(film.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        samples = np.repeat(tone, 1 if layout == "mono" else 2)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, round(begins * rate), Fraction(1, rate)
        container.mux([*track.encode(frame), *film.encode(), *track.encode()])
    return path
