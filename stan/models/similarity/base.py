"""Embedded texts and videos in, a score for each pair out: what all similarities share."""

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

    A score is a cosine or on its scale: what reads it multiplies by CLIP's logit scale.
    """

    def __init__(self, clip: Clip):
        super().__init__()

    def forward(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        raise NotImplementedError

    def parts(self, text: TextOutput, video: VideoOutput) -> tuple[Float[Tensor, "texts videos"], ...]:
        """Scores whose mean is the score, and which training compares one by one."""
        return (self(text, video),)


class PairSimilarity(Similarity):
    """A similarity whose cost grows with texts times videos: without gradients, some pairs are scored at a time."""

    def forward(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        if torch.is_grad_enabled():
            return self.pairs(text, video)
        size = max(1, PAIRS_AT_ONCE // len(video.video))
        chunks = zip(*(part.split(size) for part in text), strict=True)
        return torch.cat([self.pairs(type(text)(*chunk), video) for chunk in chunks])

    def pairs(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        """The scores of all pairs at once."""
        raise NotImplementedError
