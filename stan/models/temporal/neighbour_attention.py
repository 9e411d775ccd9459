"""Neighbour attention: CLIP's own attention also reads the frames before and behind (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from stan.models.attention import attend_to_neighbours
from stan.models.temporal.base import Temporal, require_parts
from stan.models.temporal.video_tokens import transform

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class NeighbourAttention(Temporal):
    """In every block, each token also asks all tokens of the neighbouring frames, CLS tokens too (Open-VCLIP).

    From `torch_utils/functional.py` (`expand_temporal_view`).

    reach: number of frames that are asked on each side: 1 in the source, which also has 2 and 3 (`_step2`, `_step3`).
    zeros: whether beyond a clip's ends are tokens whose keys and values are zero, as in the source: each takes a weight
        and adds nothing, so that the first and the last frame gather less. False: nothing is there, so that the method
        equals CLIP for one frame.
    normalised: as in the base class. The source averages the frames' cosines with a text, which ranks a video's classes
        as its cosine with the mean of normalised frames does.

    A padding frame lies beyond the clip's ends. There are no parameters. What comes before and what comes behind is
    asked alike, so that a video and its reverse have the same embedding. The model doesn't start as CLIP.
    """

    def __init__(
        self, clip: Clip, frames: int, *, reach: int = 1, zeros: bool = True, normalised: bool = False
    ):
        super().__init__(clip, frames, normalised=normalised)
        require_parts(clip, "neighbour_attention")
        if reach < 1:
            raise ValueError(
                f"neighbour_attention: reach={reach}: each frame needs a neighbour, so choose 1 or more"
            )
        self.changes_from = 0
        self.reach, self.zeros = reach, zeros

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        x = x + block.ls_1(attend_to_neighbours(block.attn, block.ln_1(x), mask, self.reach, self.zeros))
        return x + transform(block, x)
