"""A frame count, or frames' times, in; the frames to decode out: one per segment of equal length.

Segments are equal in time. Where frames follow each other evenly, that is the same as equal numbers of frames, and is
counted so, to the last frame as released code does (TSN's sampling, which CLIP4Clip's and STAN's data loaders share).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int64


def segments(total_frames: int, count: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """Return rising indices (count,) int64, one from each of `count` equal segments of a clip of `total_frames`.

    Without `rng`, it is the centre of each segment (testing); with it, a random frame of each (training). A clip with
    fewer frames than asked for repeats some of them. Source: TSN's segment sampling.
    """
    if total_frames < 1 or count < 1:
        raise ValueError(f"cannot take {count} frames of a clip of {total_frames}: both must be 1 or more")
    edges = np.arange(count + 1, dtype=np.int64) * total_frames // count
    first, last = edges[:-1], np.maximum(edges[1:] - 1, edges[:-1])
    if rng is None:
        return (first + last) // 2
    return rng.integers(first, last, endpoint=True)


def segments_in_time(
    times: Float[np.ndarray, " frames"], end: float, count: int, rng: np.random.Generator | None = None
) -> tuple[Int64[np.ndarray, " count"], Float[np.ndarray, " count"]]:
    """Return the frames that are shown at one moment of each of `count` equal spans of a clip, and these moments.

    times: when each frame begins, rising; end: when the last one ends. Without `rng`, the moments are the middles of
    the spans; with it, random. A frame that is shown for long is returned as often as its moments come.
    """
    edges = np.linspace(times[0], end, count + 1)
    within = np.full(count, 0.5) if rng is None else rng.random(count)
    moments = edges[:-1] + within * np.diff(edges)
    return np.searchsorted(times, moments, side="right") - 1, moments
