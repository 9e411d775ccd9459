"""CLIP4Clip's tightTransf: text and frames of a pair in, the pair's score from one joint transformer out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from stan.models.similarity.base import PairSimilarity
from stan.models.temporal.frame_blocks import copied_blocks, copied_positions, mix, placed, quick_gelu

if TYPE_CHECKING:
    from stan.models.clip import Clip, TextOutput
    from stan.models.video_encoder import VideoOutput

STD = 0.02


class TightTransformer(PairSimilarity):
    """[text; frames] + positions -> blocks -> the text's position -> LayerNorm, Linear, quick GELU, Linear.

    From CLIP4Clip, `_cross_similarity`. Positions start as copies of those of CLIP's text tower, blocks as copies of
    its first blocks, linear layers from N(0, .02^2). The source has no logit scale, so the score is divided here by the
    scale that multiplies it later.
    """

    def __init__(self, clip: Clip, *, layers: int = 4):
        super().__init__(clip)
        self.blocks = copied_blocks(clip, layers, "tight_transformer")
        self.position = copied_positions(clip, 1)
        self.norm = nn.LayerNorm(clip.embed_dim)
        # a bias of the last layer would shift all scores equally, which no loss notices
        self.pool, self.score = (
            nn.Linear(clip.embed_dim, clip.embed_dim),
            nn.Linear(clip.embed_dim, 1, bias=False),
        )
        for linear in (self.pool, self.score):
            nn.init.normal_(linear.weight, std=STD)
        nn.init.zeros_(self.pool.bias)
        self._logit_scale = (clip.logit_scale,)  # a tuple, so that CLIP's parameter isn't registered again

    def pairs(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        texts, videos = len(text.text), len(video.video)
        words = repeat(text.text, "a e -> (a b) 1 e", b=videos)
        frames = repeat(video.frames, "b t e -> (a b) t e", a=texts)
        real = repeat(F.pad(video.mask, (1, 0), value=True), "b s -> (a b) s", a=texts)
        x = mix(self.blocks, placed(torch.cat([words, frames], 1), self.position), real, read=1)
        pooled = self.pool(self.norm(x[:, 0]))
        logits = self.score(quick_gelu(pooled))
        return rearrange(logits, "(a b) 1 -> a b", a=texts) / self._logit_scale[0].exp()
