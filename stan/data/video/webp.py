"""An animated WebP file in, its record and its frames out, by Pillow: FFmpeg has no reader for the format."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from stan.data.video import colour
from stan.data.video.container import Refused
from stan.data.video.facts import StreamFacts, VideoFacts
from stan.data.video.geometry import Size
from stan.data.video.scaling import Form, Scaling

_SHORTEST, _USUAL = 11, 100
"""Milliseconds: a frame that is to be shown for less than the first is shown for the second, as browsers do."""


@dataclass
class WebP:
    """A film in a WebP file."""

    path: str
    most_pixels: int
    times: np.ndarray = field(init=False)
    facts: VideoFacts = field(init=False)

    def __post_init__(self) -> None:
        with Image.open(self.path, formats=["WEBP"]) as picture:
            width, height = picture.size
            if width * height > self.most_pixels:
                raise Refused(
                    f"is {width}x{height}, above the limit of {self.most_pixels} pixels",
                    "shrink it, or raise the limit",
                )
            durations = [self._shown(picture, i) for i in range(getattr(picture, "n_frames", 1))]
            alpha = picture.mode == "RGBA"
        ends = np.cumsum(durations) / 1000
        self.times = np.append(0.0, ends[:-1])
        self.facts = _facts(picture.size, alpha, self.times, float(ends[-1]))

    def read(self, indices: np.ndarray, form: Form, decoder: str) -> tuple[str, np.ndarray]:
        """Return frames over white; `decoder` is Pillow in any case."""
        frames = []
        with Image.open(self.path, formats=["WEBP"]) as picture:
            for index in indices.tolist():
                picture.seek(index)
                shown = colour.over_background(np.asarray(picture.convert("RGBA")))
                if isinstance(form, Scaling):
                    shown = form.squares(shown[None])[0]
                elif form is not None:
                    shown = np.asarray(Image.fromarray(shown).resize(form, Image.Resampling.BILINEAR))
                frames.append(shown)
        return "pillow", np.stack(frames)

    def heard(self, start: float, end: float) -> None:
        """Return None: the format has no sound."""

    @staticmethod
    def _shown(picture: Image.Image, index: int) -> int:
        picture.seek(index)
        picture.load()  # the time is only told with the frame
        duration = int(picture.info.get("duration", 0))
        return duration if duration >= _SHORTEST else _USUAL


def _facts(size: Size, alpha: bool, times: np.ndarray, duration: float) -> VideoFacts:
    steps = np.diff(np.append(times, duration))
    return VideoFacts(
        container="webp",
        streams=(StreamFacts(0, "video", "webp", "film", True, size, duration),),
        stream=0,
        codec="webp",
        profile="",
        stored=size,
        crop=(0, 0, 0, 0),
        sample_aspect=(1, 1),
        rotation=0,
        mirrored=False,
        displayed=size,
        pixel_format="rgba" if alpha else "rgb24",
        bit_depth=8,
        alpha=alpha,
        matrix="rgb",
        primaries="bt709",
        transfer="iec61966_2_1",
        range="full",
        assumed=(),
        hdr="",
        dolby_vision=False,
        interlaced=False,
        frames=len(times),
        fps=len(times) / duration,
        constant_rate=bool(np.ptp(steps) <= steps.mean() / 2),
        first_time=0.0,
        last_time=float(times[-1]),
        duration=duration,
        duration_by_container=duration,
        duration_by_stream=None,
        key_distance=duration,
        open_groups=False,
        size_changes=False,
        decoder="pillow",
        reason="FFmpeg doesn't read animated WebP",
        corrections=("shown over white",) if alpha else (),
        warnings=(),
    )
