"""A frame count in, the indices of the frames to decode out: one frame per segment."""

from __future__ import annotations

import numpy as np


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
