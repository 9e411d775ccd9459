"""Texts and frames in, each text compared with the frames that its words single out out (BIKE)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from stan.models.similarity.base import PairSimilarity

if TYPE_CHECKING:
    from stan.models.clip import Clip
    from stan.models.text_tower import TextOutput
    from stan.models.video_encoder import VideoOutput


class ConceptSpotting(PairSimilarity):
    """Weighs frames by the text's words: <text, sum_t a_t frame_t>, a = mean over words of softmax_t(<word, frame_t> /
    temperature).

    From BIKE, `modules/video_clip.py` (interaction `VCS`, video concept spotting). Text, words and frames have length
    1, their weighted mean isn't normalised again, and nothing is learned.

    temperature: .01 in the source. padded: False leaves padding out; True counts it as words, as the source does, so
    that every text needs as many tokens as the text tower reads.
    """

    def __init__(self, clip: Clip, *, temperature: float = 0.01, padded: bool = False):
        super().__init__(clip)
        if temperature <= 0:
            raise ValueError(f"concept_spotting: temperature={temperature}: it must be above 0")
        self.temperature, self.reads_padding = temperature, padded
        self.context_length = clip.context_length

    def pairs(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        """Return the scores of all pairs at once. Padding frames have no weight."""
        frames = F.normalize(video.frames, dim=-1)
        return einsum(
            F.normalize(text.text, dim=-1), self.weights(text, video), frames, "a e, a b t, b t e -> a b"
        )

    def weights(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos T"]:
        """Return how much each frame counts for each text; they sum to one.

        Raises ValueError for shorter texts where padding counts.
        """
        length = text.tokens.shape[1]
        if self.reads_padding and length < self.context_length:
            raise ValueError(
                f"concept_spotting: {length} tokens per text; with padded=True it also reads the padding: hand over all"
                f" {self.context_length}, as the model's `clip.tokenize` returns them"
            )
        words, frames = F.normalize(text.tokens, dim=-1), F.normalize(video.frames, dim=-1)
        cosine = einsum(words, frames, "a w e, b t e -> a b w t").masked_fill(
            ~video.mask[:, None], float("-inf")
        )
        found = (cosine / self.temperature).softmax(-1)
        if self.reads_padding:
            return found.mean(2)
        return einsum(found, text.mask / text.mask.sum(-1, keepdim=True), "a b w t, a w -> a b t")
