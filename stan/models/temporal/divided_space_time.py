"""Divided space-time attention: over time at each patch, then CLIP's own within the frame (intermediate)."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from stan.models.temporal.base import Temporal, mean_over_frames, require_cls, require_parts
from stan.models.temporal.dropout import FRAMES, DropPath, rising
from stan.models.temporal.stan_layer import CrossFrameAttention
from stan.models.temporal.video_tokens import TimePositions, attend_within, transform, with_copies

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class DividedSpaceTime(Temporal):
    """In every block, temporal attention comes first, then the block as CLIP runs it (TimeSformer, LanguageBind).

    one_cls: whether one CLS token serves all frames, as in the source: each frame holds a copy, and what the copies
        take from their frames is averaged. False: every frame keeps its own, as in CLIP. Either takes part only in
        spatial attention.
    drop_path: rate in the last block; it rises linearly from 0 in the first. The source trains with .1.
    language_bind: True wires time as LanguageBind does: every token attends over time, each frame's own CLS token too;
        every block adds times of its own; and no projection follows the attention over time. False: as TimeSformer.

    Norm and attention start as copies of the block's own, the time positions at zero, and so does the projection after
    them. So the model starts as CLIP, with one CLS token as CLIP but for that token; wired as LanguageBind, which has
    no such projection, it doesn't. Frozen in Time shares the idea but not the wiring: it is a method of its own.

    Raises ValueError for `one_cls` together with `language_bind`.
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        one_cls: bool = False,
        drop_path: float = 0.0,
        language_bind: bool = False,
    ):
        super().__init__(clip, frames)
        require_parts(clip, "divided_space_time")
        if one_cls and language_bind:
            raise ValueError(
                "divided_space_time: LanguageBind gives every frame a CLS token; leave out one_cls or language_bind"
            )
        if one_cls:
            require_cls(clip, "divided_space_time with one_cls=True")
        self.changes_from = 0
        self.one_cls = one_cls
        self.outside_time = 0 if language_bind else clip.prefix
        """Number of a frame's first tokens that don't attend over time."""
        self.time = TimePositions(frames, clip.width)
        self.later_times = nn.ModuleList(
            TimePositions(frames, clip.width) for _ in range(clip.layers - 1 if language_bind else 0)
        )
        rates = rising(drop_path, clip.layers, "divided_space_time")
        self.drop_path = nn.ModuleList(map(DropPath, rates))
        self.over_time = nn.ModuleList(
            _temporal_attention(block, clip, rate, projected=not language_bind)
            for block, rate in zip(clip.blocks, rates, strict=True)
        )

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        own, timed = x.split([self.outside_time, x.shape[2] - self.outside_time], 2)
        times = (self.time, *self.later_times)
        timed = times[i](timed) if i < len(times) else timed
        x = torch.cat([own, self.over_time[i](timed, mask)], 2)
        added = self.drop_path[i](attend_within(block, x), FRAMES)
        if self.one_cls:
            of_cls = mean_over_frames(added[:, :, 0], mask, keepdim=True)
            added = with_copies(of_cls, added[:, :, 1:])
        x = x + added
        return x + self.drop_path[i](transform(block, x))


def _temporal_attention(block: Block, clip: Clip, drop_path: float, projected: bool) -> CrossFrameAttention:
    layer: Any = CrossFrameAttention(clip.width, clip.heads, drop_path)
    if not projected:
        layer.temporal_fc = nn.Identity()
    layer.norm = deepcopy(block.ln_1).requires_grad_(True)
    layer.attention = deepcopy(block.attn).requires_grad_(True)
    return layer
