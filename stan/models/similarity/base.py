"""Embedded texts and videos in, a score for each pair out: the base classes of all similarities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

if TYPE_CHECKING:
    from stan.models.clip import Clip, TextOutput
    from stan.models.video_encoder import VideoOutput

PAIRS_AT_ONCE = 2048


class Similarity(nn.Module):
    """Scores texts against videos. Options are keyword arguments with plain JSON values.

    A score is a cosine or on the scale of a cosine: its user multiplies it by CLIP's logit scale.
    """

    def __init__(self, clip: Clip):
        super().__init__()

    def forward(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        raise NotImplementedError

    def parts(self, text: TextOutput, video: VideoOutput) -> tuple[Float[Tensor, "texts videos"], ...]:
        """Return the scores whose mean is the score; training takes the loss of each of them."""
        return (self(text, video),)


class PairSimilarity(Similarity):
    """A similarity whose cost grows with texts times videos. Without gradients, it scores a part of the pairs at a
    time."""

    def forward(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        if torch.is_grad_enabled():
            return self.pairs(text, video)
        size = max(1, PAIRS_AT_ONCE // len(video.video))
        chunks = zip(*(part.split(size) for part in text), strict=True)
        return torch.cat([self.pairs(type(text)(*chunk), video) for chunk in chunks])

    def pairs(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        """Return the scores of all pairs at once."""
        raise NotImplementedError
