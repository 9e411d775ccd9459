"""A video file in, frames and times out; the names of 0.1, when this was one module, are imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stan.data.video.decoding import (
        Decoded,
        Limits,
        Request,
        VideoError,
        VideoInfo,
        close,
        decode,
        decode_many,
        frames,
        probe,
    )

__all__ = [
    "Decoded",
    "Limits",
    "Request",
    "VideoError",
    "VideoInfo",
    "close",
    "decode",
    "decode_many",
    "frames",
    "probe",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from stan.data.video import decoding

    return getattr(decoding, name)
