"""CLIP4Clip's tightTransf: text and frames of a pair in, the pair's score from one joint transformer out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from stan.models.blocks import quick_gelu
from stan.models.similarity.base import PairSimilarity
from stan.models.temporal.dropout import share_of_values
from stan.models.temporal.frame_blocks import copied_blocks, copied_positions, mix, placed

if TYPE_CHECKING:
    from stan.models.clip import Clip
    from stan.models.text_tower import TextOutput
    from stan.models.video_encoder import VideoOutput

STD = 0.02


class TightTransformer(PairSimilarity):
    """[text; frames] + positions -> blocks -> the text's position -> LayerNorm, Linear, quick GELU, Linear.

    From CLIP4Clip, `_cross_similarity`. Positions start as copies of those of CLIP's text tower, blocks as copies of
    its first blocks, linear layers from N(0, .02^2). The source has no logit scale, so the score is divided here by the
    scale that multiplies it later.

    further: number of blocks behind the copied ones, drawn from N(0, .02^2), as in the source where the text tower has
    too few. dropout: share of the values of [text; frames] + positions that training drops, .1 in the source. eps: of
    the blocks' LayerNorms, 1e-12 in the source; None for CLIP's own 1e-5. bias: whether the last layer has one, as in
    the source; it shifts all scores equally, which no loss and no rank notices.
    """

    def __init__(
        self,
        clip: Clip,
        *,
        layers: int = 4,
        further: int = 0,
        dropout: float = 0.0,
        eps: float | None = None,
        bias: bool = False,
    ):
        super().__init__(clip)
        self.blocks = copied_blocks(clip, layers, "tight_transformer", eps, further)
        self.dropout = nn.Dropout(share_of_values(dropout))
        self.position = copied_positions(clip, 1)
        self.norm = nn.LayerNorm(clip.embed_dim)
        self.pool, self.score = (
            nn.Linear(clip.embed_dim, clip.embed_dim),
            nn.Linear(clip.embed_dim, 1, bias=bias),
        )
        for linear in (self.pool, self.score):
            nn.init.normal_(linear.weight, std=STD)
            if linear.bias is not None:
                nn.init.zeros_(linear.bias)
        self._clip = (clip,)  # a tuple, so that CLIP isn't registered again

    def pairs(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        pooled = self.pool(self.norm(self.mixed(text, video, read=1)[:, 0]))
        logits = self.score(quick_gelu(pooled))
        return rearrange(logits, "(a b) 1 -> a b", a=text.text.shape[0]) / self._clip[0].logit_scale.exp()

    def mixed(
        self, text: TextOutput, video: VideoOutput, read: int | None = None
    ) -> Float[Tensor, "texts*videos R E"]:
        """Return the first `read` tokens (None: all) of each pair's [text; frames] behind the blocks, text by text."""
        texts, videos = text.text.shape[0], video.video.shape[0]
        words = repeat(text.text, "a e -> (a b) 1 e", b=videos)
        frames = repeat(video.frames, "b t e -> (a b) t e", a=texts)
        real = repeat(F.pad(video.mask, (1, 0), value=True), "b s -> (a b) s", a=texts)
        both = self.dropout(placed(torch.cat([words, frames], 1), self.position))
        return mix(self.blocks, both, real, read)
