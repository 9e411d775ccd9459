"""AIM: CLIP's own frozen attention is also used over time, with small adapters around it (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stan.models.attention import attend_over_time
from stan.models.temporal.base import Temporal, last_norm, require_parts
from stan.models.temporal.dropout import PLACES, DropPath, rising
from stan.models.temporal.video_tokens import TimePositions, attend_within, transform, zero

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip

STD = 0.02


class Aim(Temporal):
    """Temporal, spatial and joint adaptation of every block (AIM, `vit_clip.py`).

    ratio: width of the bottleneck as a share of CLIP's width. adapted_input: True puts one more adapter, with a skip,
    before attention over time (the source's choice for Something-Something, with its base model only). scale: factor of
    the adapter beside the MLP (.5 in the source for Kinetics, 1 for Something-Something). time_before_norm: True adds
    the time positions before CLIP's first LayerNorm, as the source does; False adds them after it, so that the levels
    of all methods start alike. drop_path: share of what the adapters over time and beside the MLP add that training
    drops, rising from 0 in the first block (.2 in the source, where a token's place is dropped for all videos of a
    batch at once; here it is drawn for each video). trained_norm: True trains CLIP's last LayerNorm even where its
    tower is frozen, as the source does.

    Each block uses its own attention first over time, then within frames, and then runs its MLP. One adapter follows
    the first step, one the second (beside a skip), and one runs beside the MLP. The adapters' last layers and the time
    positions start at zero, so the model starts as CLIP. The source has no texts: a linear classifier reads the mean
    over frames (similarity `linear_classifier`).
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        ratio: float = 0.25,
        adapted_input: bool = False,
        scale: float = 0.5,
        time_before_norm: bool = False,
        drop_path: float = 0.0,
        trained_norm: bool = False,
    ):
        super().__init__(clip, frames)
        require_parts(clip, "aim")
        self.changes_from, self.changes_tokens = 0, time_before_norm
        self.trained_of_clip = last_norm(clip) if trained_norm else ()
        self.scale = scale
        width = int(round(ratio * clip.width, 6))  # 49 times a share of 1/49 is not quite 1
        if width < 1:
            raise ValueError(f"aim: ratio={ratio} of a CLIP {clip.width} wide leaves no bottleneck")
        self.time = TimePositions(frames, clip.width)
        self.over_time, self.within, self.beside_mlp = (
            nn.ModuleList(Adapter(clip.width, width) for _ in clip.blocks) for _ in range(3)
        )
        self.before_time = nn.ModuleList()
        if adapted_input:
            self.before_time.extend(Adapter(clip.width, width) for _ in clip.blocks)
        self.drop_path = nn.ModuleList(DropPath(rate) for rate in rising(drop_path, clip.layers, "aim"))

    def before(self, x: Tensor) -> Tensor:
        return self.time(x) if self.changes_tokens else x

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        x, drop = self.time(x) if i == 0 and not self.changes_tokens else x, self.drop_path[i]
        y = block.ln_1(x)
        if self.before_time:
            y = y + self.before_time[i](y)
        x = x + drop(self.over_time[i](attend_over_time(block.attn, y, mask)), PLACES)
        seen = attend_within(block, x)
        x = x + seen + self.within[i](seen)
        return x + transform(block, x) + drop(self.scale * self.beside_mlp[i](block.ln_2(x)), PLACES)


class Adapter(nn.Module):
    """A linear layer down, GELU, a linear layer up; the layer down starts from N(0, .02^2), the rest at zero."""

    def __init__(self, width: int, bottleneck: int):
        super().__init__()
        self.down = nn.Linear(width, bottleneck)
        nn.init.trunc_normal_(self.down.weight, std=STD)
        nn.init.zeros_(self.down.bias)
        self.up = zero(nn.Linear(bottleneck, width))

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        return self.up(F.gelu(self.down(x)))
