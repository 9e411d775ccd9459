"""Estimates of scores with bounds on their errors in, the videos with the highest exact scores out.

Letters: V videos, W windows, R rows of windows, k the number of videos asked for. A video's score is that of its best
window.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int

Exact = Callable[[Int[np.ndarray, " R"]], Float[np.ndarray, " R"]]
"""Maps windows to their exact scores."""


def nearest(
    estimate: Float[np.ndarray, " W"],
    error: Float[np.ndarray, " W"],
    exact: Exact,
    starts: Int[np.ndarray, " V"],
    top: int,
) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Return the `top` videos (at most all) and their exact scores, best first; of equal ones, the first comes first.

    estimate: of each window's score; -inf for windows of videos that may not be found, which are fewer than all but
        `top` videos.
    error: how far each estimate is off at most.
    starts: the first window of each video; its other windows follow.

    The result is that of scoring every window. The exact scores of the `top` videos with the highest estimates are
    taken first; t is the lowest of them. So at least `top` videos score t or more, and no video below t is among the
    best. A video that scores t or more has a window that does, whose estimate plus error is t or more. All windows of
    which this is true are scored exactly; the others score less than t, and so decide neither which videos are found
    nor what these score.
    """
    likely = torch.from_numpy(_by_video(estimate, starts)).topk(top).indices.numpy()
    ends = np.append(starts[1:], len(estimate))
    threshold = min(exact(np.arange(starts[i], ends[i])).max() for i in likely)
    windows = np.flatnonzero(estimate + error >= threshold)
    owners = np.searchsorted(starts, windows, "right") - 1
    videos, first = np.unique(owners, return_index=True)
    scores = np.maximum.reduceat(exact(windows), first)
    order = np.argsort(-scores, kind="stable")[:top]
    return videos[order], scores[order]


def _by_video(scores: Float[np.ndarray, " W"], starts: Int[np.ndarray, " V"]) -> Float[np.ndarray, " V"]:
    return scores if len(starts) == len(scores) else np.maximum.reduceat(scores, starts)
