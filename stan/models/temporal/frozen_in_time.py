"""Frozen in Time's divided attention: results over time only feed attention within the frame (intermediate)."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.attention import Attention
from stan.models.temporal.base import (
    Project,
    Temporal,
    require_cls,
    require_free_places,
    require_parts,
    require_projected,
)
from stan.models.temporal.video_tokens import (
    TimePositions,
    attend_from_shared,
    attend_in_groups,
    transform,
    with_copies,
    zero,
)

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class FrozenInTime(Temporal):
    """Attention over time, then within frames, with one CLS token per video (`video_transformer.py`).

    Attention of either kind: the CLS token asks all patches of all frames; a patch asks the CLS token and its group,
    which is its place in all frames or its frame. What attention over time adds is read by attention within frames,
    but only what the latter adds stays: x + within(norm(x + over_time(norm(x)))). Then CLIP's MLP.

    over_time: False leaves out attention over time and the times, as BridgeFormer does: only the CLS token sees several
    frames then, and their order makes no difference.

    Starts as in the source: over time, queries, keys and values are zero and the projection's weights one; its norm is
    new; times are zero. The projection into the shared space has a bias, which starts at zero here.
    """

    def __init__(self, clip: Clip, frames: int, *, over_time: bool = True):
        super().__init__(clip, frames)
        require_parts(clip, "frozen_in_time")
        require_cls(clip, "frozen_in_time")
        require_free_places(clip, "frozen_in_time")
        self.changes_from = 0
        self.time = TimePositions(frames, clip.width) if over_time else None
        self.over_time = nn.ModuleList(OverTime(block) for block in clip.blocks if over_time)
        self.bias = nn.Parameter(torch.zeros(clip.embed_dim))

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        cls, patches = x[:, 0, :1], x[:, :, 1:]
        if i == 0 and self.time is not None:
            patches = self.time(patches)
        x = with_copies(cls, patches)
        y = block.ln_1(x + self.over_time[i](x, mask) if self.over_time else x)
        of_cls, of_patches = _within(block.attn, y[:, 0, :1], y[:, :, 1:], mask)
        x = x + block.ls_1(with_copies(of_cls, of_patches))
        return x + transform(block, x)

    def after(self, cls: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(cls)
        require_projected(frames, len(self.bias), "frozen_in_time's bias")
        return frames + self.bias


class OverTime(nn.Module):
    """What attention over time would add to CLS token and patches."""

    def __init__(self, block: Block):
        super().__init__()
        self.norm = _new_norm(block)
        self.attention = deepcopy(block.attn).requires_grad_(True)
        for name, parameter in self.attention.named_parameters(recurse=False):
            assert name.endswith(("in_proj_weight", "bias")), "queries, keys and values"
            nn.init.zeros_(parameter)
        nn.init.ones_(zero(self.attention.out_proj).weight)

    def forward(
        self, x: Float[Tensor, "B T S D"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B T S D"]:
        y = self.norm(x)
        cls, patches = y[:, 0, :1], y[:, :, 1:]
        keys = None if mask is None else repeat(mask, "b t -> (b p) t", p=patches.shape[2])
        of_patches = attend_in_groups(self.attention, cls, rearrange(patches, "b t p d -> b p t d"), keys)
        of_cls = attend_from_shared(self.attention, cls, patches, mask)
        return with_copies(of_cls, rearrange(of_patches, "b p t d -> b t p d"))


def _new_norm(block: Block) -> nn.LayerNorm:
    norm: Any = deepcopy(block.ln_1 if isinstance(block.ln_1, nn.LayerNorm) else block.ls_1).requires_grad_(
        True
    )
    norm.reset_parameters()
    return norm


def _within(
    attention: Attention,
    cls: Float[Tensor, "B 1 D"],
    patches: Float[Tensor, "B T P D"],
    mask: Bool[Tensor, "B T"] | None,
) -> tuple[Float[Tensor, "B 1 D"], Float[Tensor, "B T P D"]]:
    """Return what attention within frames makes of the CLS token and of the patches."""
    return attend_from_shared(attention, cls, patches, mask), attend_in_groups(attention, cls, patches, None)
