"""AIM: CLIP's own frozen attention is also used over time, with small adapters around it (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stan.models.temporal.attention import attend_over_time
from stan.models.temporal.base import Temporal
from stan.models.temporal.video_tokens import TimePositions, attend_within, transform, zero

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip

MLP_SCALE = 0.5  # scale of the adapter beside the MLP, as released


class Aim(Temporal):
    """Temporal, spatial and joint adaptation of every block (AIM, `vit_clip.py`).

    ratio: width of the bottleneck as a share of CLIP's width. adapted_input: True puts one more adapter, with a skip,
    before attention over time (the source's choice for Something-Something).

    Each block uses its own attention first over time, then within frames, and then runs its MLP. One adapter follows
    the first step, one the second (beside a skip), and one runs beside the MLP. All adapters and time positions start
    at zero, so the model starts as CLIP. The source adds its time positions before CLIP's first LayerNorm, which
    precedes the blocks; here they are added after it.
    """

    def __init__(self, clip: Clip, frames: int, *, ratio: float = 0.25, adapted_input: bool = False):
        super().__init__(clip, frames)
        self.changes_from = 0
        width = int(ratio * clip.width)
        if width < 1:
            raise ValueError(f"aim: ratio={ratio} of a CLIP {clip.width} wide leaves no bottleneck")
        self.time = TimePositions(frames, clip.width)
        self.over_time, self.within, self.beside_mlp = (
            nn.ModuleList(Adapter(clip.width, width) for _ in clip.blocks) for _ in range(3)
        )
        self.before_time = nn.ModuleList()
        if adapted_input:
            self.before_time.extend(Adapter(clip.width, width) for _ in clip.blocks)

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.time(x) if i == 0 else x
        y = block.ln_1(x)
        if self.before_time:
            y = y + self.before_time[i](y)
        x = x + self.over_time[i](attend_over_time(block.attn, y, mask))
        seen = attend_within(block, x)
        x = x + seen + self.within[i](seen)
        return x + transform(block, x) + MLP_SCALE * self.beside_mlp[i](block.ln_2(x))


class Adapter(nn.Module):
    """A linear layer down, GELU, a linear layer up; the layer up starts at zero."""

    def __init__(self, width: int, bottleneck: int):
        super().__init__()
        self.down = nn.Linear(width, bottleneck)
        self.up = zero(nn.Linear(bottleneck, width))

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        return self.up(F.gelu(self.down(x)))
