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

    further: number of blocks behind the copied ones, drawn from N(0, .02^2), as in the source where the text tower has
    too few. normalised: as in the base class; the source normalises. eps: of the blocks' LayerNorms, 1e-12 in the
    source; None for CLIP's own 1e-5.
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        layers: int = 4,
        further: int = 0,
        normalised: bool = False,
        eps: float | None = None,
    ):
        super().__init__(clip, frames, normalised=normalised)
        self.blocks = copied_blocks(clip, layers, "sequence_transformer", eps, further)
        self.position = copied_positions(clip, frames)

    def after(self, cls: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(cls)
        return mix(self.blocks, placed(frames, self.position), mask) + frames
