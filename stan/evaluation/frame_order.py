"""A number of frames and of clips in, the orders in which a frame-order probe shows the frames out."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from stan.data.video.sampling import segments

AS_GIVEN = "as given"


def arrangements(frames: int, clips: int, seed: int = 0) -> dict[str, Int[np.ndarray, "clips n"]]:
    """Return, by name, which frames each clip shows and in which order.

    The arrangements: as given, shuffled (each clip in its own way), reversed, frozen to the middle frame, and only 1,
    2, 4, ... of the frames, one from the centre of each of as many segments.
    """
    given = np.tile(np.arange(frames), (clips, 1))
    middle = segments(frames, 1)
    orders = {
        AS_GIVEN: given,
        "shuffled": np.random.default_rng(seed).permuted(given, axis=1),
        "reversed": given[:, ::-1],
        "frozen": np.broadcast_to(middle, given.shape),
    }
    counts = [2**k for k in range(frames.bit_length()) if 2**k < frames]
    fewer = {f"{n} frame{'s' * (n > 1)}": np.tile(segments(frames, n), (clips, 1)) for n in counts}
    return orders | fewer
