"""An animated WebP file in, its record and its frames out, by Pillow: FFmpeg reads none before version 9."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from stan.data.video import colour
from stan.data.video.container import Refused
from stan.data.video.facts import StreamFacts, VideoFacts
from stan.data.video.geometry import Size
from stan.data.video.scaling import Form, Scaling

_FLAGS, _ALPHA = 20, 0x10
"""Where an animated file says whether it has alpha, and the bit that does."""
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
        with _opened(self.path) as picture:
            width, height = picture.size
            if width * height > self.most_pixels:
                raise Refused(
                    f"is {width}x{height}, above the limit of {self.most_pixels} pixels",
                    "shrink it, or raise the limit",
                )
            shown = [self._shown(picture, i) for i in range(getattr(picture, "n_frames", 1))]
        durations, opaque = zip(*shown, strict=True)
        ends = np.cumsum(durations) / 1000
        self.times = np.append(0.0, ends[:-1])
        self.facts = _facts(picture.size, not all(opaque), self.times, float(ends[-1]))

    def read(self, indices: np.ndarray, form: Form, decoder: str) -> tuple[str, np.ndarray]:
        """Return frames over white; `decoder` is Pillow in any case."""
        frames = []
        with _opened(self.path) as picture:
            for index in indices.tolist():
                picture.seek(index)
                shown = colour.over_background(np.asarray(picture))
                if isinstance(form, Scaling):
                    shown = form.squares(shown[None])[0]
                elif form is not None:
                    shown = np.asarray(Image.fromarray(shown).resize(form, Image.Resampling.BILINEAR))
                frames.append(shown)
        return "pillow", np.stack(frames)

    def heard(self, start: float, end: float) -> None:
        """Return None: the format has no sound."""

    @staticmethod
    def _shown(picture: Image.Image, index: int) -> tuple[int, bool]:
        """Return for how many milliseconds a frame is shown, and whether all of it is opaque."""
        picture.seek(index)
        picture.load()  # the time is only told with the frame
        duration = int(picture.info.get("duration", 0))
        return duration if duration >= _SHORTEST else _USUAL, bool(np.asarray(picture)[..., 3].min() == 255)


def _opened(path: str) -> Image.Image:
    """Open a film as one with alpha, whatever it says about that.

    Of opaque pictures on an empty canvas, libwebp makes a file that says it has none. Browsers show what lies behind
    the canvas; Pillow would show black.
    """
    content = bytearray(Path(path).read_bytes())
    content[_FLAGS] |= _ALPHA
    return Image.open(io.BytesIO(content), formats=["WEBP"])


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
        reason="FFmpeg before version 9 doesn't read animated WebP",
        corrections=("shown over white",) if alpha else (),
        warnings=(),
    )
