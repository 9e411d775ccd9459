"""Trajectory attention: each patch looks for its like in every frame, then mixes what it found (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.attention import Attention, attend, found_by_frame, project_heads
from stan.models.temporal.base import Project, TanhPooler, Temporal, require_cls, require_parts
from stan.models.temporal.dropout import DropPath, rising
from stan.models.temporal.video_tokens import TimePositions, attend_from_shared, transform

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip

STD = 0.02


class TrajectoryAttention(Temporal):
    """In every block but the last, patches attend along their trajectories (Motionformer, `vit_helper.py`).

    With CLIP's own attention, a patch asks the patches of one frame at a time, of its own and of every other: what it
    finds in the frames is its trajectory. New attention then mixes the trajectory over time; what was found in the
    patch's own frame is what asks. CLIP's last projection and MLP follow. Patches don't read the CLS token.

    one_cls: whether one CLS token, which reads all frames' patches, serves all frames, and times are added to patches
        only, as in the source. False: every frame keeps its own, which reads its own frame as in CLIP.
    own_values: whether what is mixed over time is the trajectory itself, as in the released code and its weights, whose
        authors call it a slip. False: a learned projection of it, as in the paper.
    pooler: whether the video is the tanh of a linear layer of the frames' mean, as in the source.
    last_block: True also changes the last block, as the source does: patches that only a similarity could read
        afterwards. There, by default, patches ask their own frame as in CLIP.
    drop_path: rate in the last block; it rises linearly from 0 in the first. The source trains with .2.

    Times start at zero, the projections of the attention over time from N(0, .02^2), its biases at zero.
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        one_cls: bool = False,
        own_values: bool = True,
        pooler: bool = False,
        last_block: bool = False,
        drop_path: float = 0.0,
    ):
        super().__init__(clip, frames)
        require_parts(clip, "trajectory_attention")
        if one_cls:
            require_cls(clip, "trajectory_attention with one_cls=True")
        self.changes_from = 0
        self.one_cls = one_cls
        self.time = TimePositions(frames, clip.width)
        layers = clip.layers - (not last_block)
        self.along = nn.ModuleList(AlongTrajectories(clip, own_values) for _ in range(layers))
        self.drop_path = nn.ModuleList(map(DropPath, rising(drop_path, clip.layers, "trajectory_attention")))
        self.pooler = TanhPooler(clip.embed_dim, clip.embed_dim) if pooler else nn.Identity()

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.time(x, int(self.one_cls)) if i == 0 else x
        y = block.ln_1(x)
        x = x + self.drop_path[i](block.ls_1(torch.cat(self._attended(i, block.attn, y, mask), 2)))
        return x + self.drop_path[i](transform(block, x))

    def _attended(
        self, i: int, attention: Attention, y: Float[Tensor, "B T S D"], mask: Bool[Tensor, "B T"] | None
    ) -> tuple[Float[Tensor, "B T O D"], Float[Tensor, "B T P D"]]:
        """Return what block `i`'s attention makes of the frames' own tokens, and of their patches."""
        count = self.own_tokens
        if self.one_cls:
            own = attend_from_shared(attention, y[:, 0, :1], y[:, :, 1:], mask)
            own = repeat(own, "b 1 d -> b t 1 d", t=y.shape[1])
        else:
            own = _within(attention, y, count)
        if i < len(self.along):
            return own, self.along[i](attention, found_by_frame(attention, y, count), mask)
        return own, _within(attention, y)[:, :, count:]

    def pool(self, frames: Tensor, cls: Tensor, mask: Tensor | None, project: Project) -> Tensor:
        return self.pooler(super().pool(frames, cls, mask, project))


def _within(
    attention: Attention, y: Float[Tensor, "B T S D"], queries: int | None = None
) -> Float[Tensor, "B T Q D"]:
    """Return what attention makes of the tokens, or the first `queries`, of each frame by itself."""
    found = attend(attention, rearrange(y, "b t s d -> (b t) s d"), queries=queries)
    return rearrange(found, "(b t) q d -> b t q d", t=y.shape[1])


class AlongTrajectories(nn.Module):
    """Attention of each patch to what it found in the frames, asked by what it found in its own.

    A trajectory is a sequence of F vectors per patch. No key is computed of each: what asks is turned by the keys'
    matrix instead, and what is mixed by the values', which takes an F-th of the work. The bias of keys adds the same to
    all logits of a patch, so that there is none.
    """

    def __init__(self, clip: Clip, own_values: bool):
        super().__init__()
        self.heads, width = clip.heads, clip.width
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.value = None if own_values else nn.Linear(width, width)
        for linear in filter(None, (self.query, self.key, self.value)):
            nn.init.normal_(linear.weight, std=STD)
        for linear in filter(None, (self.query, self.value)):
            nn.init.zeros_(linear.bias)

    def forward(
        self, attention: Attention, found: Float[Tensor, "B T P F D"], mask: Bool[Tensor, "B F"] | None
    ) -> Float[Tensor, "B T P D"]:
        """Return what CLIP's last projection makes of the mixed trajectories. found: of `found_by_frame`."""
        videos, frames, patches = found.shape[:3]
        own = rearrange(found.diagonal(dim1=1, dim2=3), "b p d t -> (b t p) d")
        trajectories = rearrange(found, "b t p f d -> (b t p) f d")
        asks = self._by_head(self.query(own), self.key.weight)
        logits = attention.head_dim**-0.5 * asks @ trajectories.mT
        if mask is not None:
            real = repeat(mask, "b f -> (b t p) 1 f", t=frames, p=patches)
            logits = logits.masked_fill(~real, float("-inf"))
        mixed = self._values(logits.softmax(-1) @ trajectories)
        return project_heads(attention, rearrange(mixed, "(b t p) d -> b t p d", b=videos, t=frames))

    def _by_head(self, x: Float[Tensor, "N D"], weight: Float[Tensor, "D E"]) -> Float[Tensor, "N heads E"]:
        """Return each head's part of `x` times the head's rows of `weight`."""
        parts = (
            rearrange(x, "n (h d) -> h n d", h=self.heads),
            rearrange(weight, "(h d) e -> h d e", h=self.heads),
        )
        return rearrange(torch.bmm(*parts), "h n e -> n h e")

    def _values(self, mixed: Float[Tensor, "N heads D"]) -> Float[Tensor, "N D"]:
        """Return the heads' values, side by side, of what each has mixed: its own channels of it, or its projection."""
        if self.value is None:
            own = rearrange(mixed, "n heads (h d) -> n heads h d", h=self.heads)
            return rearrange(own.diagonal(dim1=1, dim2=2), "n d h -> n (h d)")
        rows = rearrange(self.value.weight, "(h d) e -> h e d", h=self.heads)
        by_head = torch.bmm(rearrange(mixed, "n h e -> h n e"), rows)
        return rearrange(by_head, "h n d -> n (h d)") + self.value.bias
