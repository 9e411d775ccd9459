"""CLIP4Clip's seqTransf: a transformer over frame embeddings after CLIP, with a residual (posterior)."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from stan.temporal.base import Project, Temporal

if TYPE_CHECKING:
    from stan.models.clip import Clip


class SequenceTransformer(Temporal):
    """Frame embeddings + positions -> pre-norm blocks -> + frame embeddings (CLIP4Clip, `seqTransf`).

    Positions and blocks start as copies of the first of CLIP's text tower, whose width must equal the
    embedding's.
    """

    def __init__(self, clip: Clip, frames: int, *, layers: int = 4):
        super().__init__(clip, frames)
        text = clip.text
        if text.width != clip.embed_dim:
            raise ValueError(
                f"sequence_transformer starts from CLIP's text blocks, but the text tower is {text.width}"
                " wide and the"
                f" embedding {clip.embed_dim}: choose a backbone where both are equal, such as ViT-B-32"
            )
        if not 1 <= layers <= len(text.transformer.resblocks):
            raise ValueError(
                f"layers={layers}: the text tower has {len(text.transformer.resblocks)} blocks to copy"
            )
        if frames > clip.context_length:
            raise ValueError(f"frames={frames}: there are {clip.context_length} positions to copy")
        self.position = nn.Parameter(text.positional_embedding.detach().clone())
        self.blocks = deepcopy(text.transformer.resblocks[:layers]).requires_grad_(True)

    def after(self, x: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(x[:, :, 0])
        count = frames.shape[1]
        if count > len(self.position):
            raise ValueError(f"{count} frames; sequence_transformer has {len(self.position)} positions")
        y = frames + self.position[:count]
        padding = None
        if mask is not None:
            heads = self.blocks[0].attn.num_heads
            padding = torch.zeros(mask.shape, dtype=y.dtype, device=y.device).masked_fill_(
                ~mask, float("-inf")
            )
            padding = padding[:, None, None].expand(-1, heads, count, -1).reshape(-1, count, count)
        for block in self.blocks:
            y = block(y, attn_mask=padding)
        return y + frames
