"""Embedded texts and videos in, a score for each pair out: the base classes of all similarities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

if TYPE_CHECKING:
    from stan.models.clip import Clip
    from stan.models.temporal.base import Project, Temporal
    from stan.models.text_tower import TextOutput
    from stan.models.video_encoder import VideoOutput

PAIRS_AT_ONCE = 2048


class Similarity(nn.Module):
    """Scores texts against videos. Options are keyword arguments with plain JSON values.

    A score is a cosine or on the scale of a cosine: its user multiplies it by CLIP's logit scale.
    """

    projected = True
    """Whether videos are embedded in the space shared with the texts (E), or before CLIP's projection into it (D)."""

    reads_texts = True
    """Whether embedded texts count, or only how many there are."""

    reads_padding = False
    """Whether the tokens behind a text's end count, so that every text must be padded to the context length."""

    def __init__(self, clip: Clip):
        super().__init__()

    def attach(self, temporal: Temporal) -> None:
        """Take what scoring shares with the temporal method, whose parameters stay its own: by default nothing.

        Raises ValueError for a method that lacks it.
        """

    def read(
        self,
        cls: Float[Tensor, "B T C"],
        x: Float[Tensor, "B T S D"],
        real: Bool[Tensor, "B T"],
        project: Project,
    ) -> Float[Tensor, " B *read"]:
        """Return what scoring needs of the last block's tokens, beside the embeddings: by default nothing.

        It becomes `VideoOutput.context`, kept for every video of a split: make it small. `project` maps `cls`, which is
        what CLIP pools of a frame.
        """
        return x.new_zeros(x.shape[0], 0)

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
