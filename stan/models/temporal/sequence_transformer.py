"""CLIP4Clip's seqTransf: a transformer over frame embeddings after CLIP, with a residual (posterior)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from stan.models.temporal.base import Project, Temporal
from stan.models.temporal.frame_blocks import copied_blocks, copied_positions, mix, placed

if TYPE_CHECKING:
    from stan.models.clip import Clip


class SequenceTransformer(Temporal):
    """Frame embeddings + positions -> pre-norm blocks -> + frame embeddings (CLIP4Clip, `seqTransf`).

    Positions start as copies of those of CLIP's text tower, blocks as copies of its first blocks. The text tower must
    be as wide as the embedding.
    """

    def __init__(self, clip: Clip, frames: int, *, layers: int = 4):
        super().__init__(clip, frames)
        self.blocks = copied_blocks(clip, layers, "sequence_transformer")
        self.position = copied_positions(clip, frames)

    def after(self, x: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(x[:, :, 0])
        return mix(self.blocks, placed(frames, self.position), mask) + frames
