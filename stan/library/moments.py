"""Scored windows of videos in; the best moments, which do not overlap, out."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int

from stan.library.embedding import windows
from stan.library.scoring import Matrix, edges_of

OVERLAPPING = 4
"""A window overlaps at most so many others: two on either side, because the last one ends with its video."""


def candidates(
    matrix: Matrix, scores: Float[torch.Tensor, " W"], admitted: Int[torch.Tensor, " V"], top: int
) -> list[tuple[int, int, float]]:
    """Return the video's index, the window's index within it and the score of windows, best first.

    They are enough to choose `top` windows that do not overlap, as far as there are so many.
    """
    of_admitted = torch.isin(matrix.owner, admitted).nonzero()[:, 0]
    best = scores[of_admitted].topk(min((1 + OVERLAPPING) * top, len(of_admitted)))
    found = of_admitted[best.indices]
    videos = matrix.owner[found]
    within = found - torch.searchsorted(matrix.owner, videos)
    return list(zip(videos.tolist(), within.tolist(), best.values.tolist(), strict=True))


def span(
    place: int, times: Float[np.ndarray, " F"], duration: float, frames: int, seconds: float
) -> tuple[float, float]:
    """Return the start and end, in seconds, of a video's window number `place`.

    frames, seconds: of the library's windows. A frame stands for the time up to halfway to its neighbours.
    """
    begin = windows(duration, frames, seconds)[1][place]
    return _covered(edges_of(times, duration), begin, frames)


def spans(
    times: Float[np.ndarray, " F"], duration: float, frames: int, seconds: float
) -> list[tuple[float, float]]:
    """Return what `span` does, of all windows of a video."""
    edges = edges_of(times, duration)
    return [_covered(edges, begin, frames) for begin in windows(duration, frames, seconds)[1]]


def _covered(edges: Float[np.ndarray, " F+1"], begin: int, frames: int) -> tuple[float, float]:
    end = min(begin + frames, len(edges) - 1)
    return round(float(edges[begin]), 3), round(float(edges[end]), 3)


def apart(spans: list[tuple[str, float, float]], top: int) -> list[int]:
    """Return the indices of the first `top` spans (video, start, end) of which none overlaps an earlier chosen one."""
    chosen: list[int] = []
    for i, (video, start, end) in enumerate(spans):
        others = (spans[j] for j in chosen)
        if not any(video == other and start < until and since < end for other, since, until in others):
            chosen.append(i)
        if len(chosen) == top:
            break
    return chosen
