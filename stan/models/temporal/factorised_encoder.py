"""ViViT's factorised encoder: a transformer over frame embeddings whose own CLS stands for the video (posterior)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import repeat
from torch import Tensor, nn

from stan.models.temporal.base import Project, Temporal
from stan.models.temporal.frame_blocks import drawn_blocks, drawn_positions, mix, placed

if TYPE_CHECKING:
    from stan.models.clip import Clip

STD = 0.02


class FactorisedEncoder(Temporal):
    """[CLS; frame embeddings] + positions -> blocks -> LayerNorm -> the CLS (ViViT, model 2; VTN likewise).

    All weights are drawn anew, as in the sources: none come from CLIP. Every frame gets the video's embedding.
    """

    def __init__(self, clip: Clip, frames: int, *, layers: int = 4):
        super().__init__(clip, frames)
        self.blocks = drawn_blocks(clip, layers, "factorised_encoder", STD)
        self.position = drawn_positions(clip, 1 + clip.context_length, STD)
        self.cls = nn.Parameter(STD * torch.randn(clip.embed_dim))
        self.norm = nn.LayerNorm(clip.embed_dim)

    def after(self, x: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(x[:, :, 0])
        tokens = torch.cat([repeat(self.cls, "e -> b 1 e", b=len(frames)), frames], 1)
        real = None if mask is None else F.pad(mask, (1, 0), value=True)
        mixed = mix(self.blocks, placed(tokens, self.position), real, read=1)
        return self.norm(mixed).expand_as(frames)
