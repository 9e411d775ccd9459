"""CLIP-ViP: proxy tokens of the video see all frames, patches see their own frame and the proxies (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import repeat
from torch import Tensor, nn

from stan.models.temporal.base import Temporal, require_cls, require_free_places, require_parts
from stan.models.temporal.video_tokens import (
    TimePositions,
    attend_from_shared,
    attend_in_groups,
    transform,
    with_copies,
)

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class ClipVip(Temporal):
    """CLIP's own blocks over one CLS token per video, further tokens like it, and all patches (`CLIP_ViP.py`).

    The CLS token and the proxies ask all tokens of all frames; a patch asks them and the patches of its frame. Only the
    CLS token is read in the end.

    proxies: how many tokens stand beside the CLS token.

    The proxies stand before CLIP's first LayerNorm and start from N(0, 1) plus the CLS token's position, as in the
    source; times are added there to the patches and start at zero. Fewer frames than times take the first times (in the
    source, the times are stretched).
    """

    def __init__(self, clip: Clip, frames: int, *, proxies: int = 3):
        super().__init__(clip, frames)
        require_parts(clip, "clip_vip")
        require_cls(clip, "clip_vip")
        require_free_places(clip, "clip_vip")
        if proxies < 1:
            raise ValueError(f"clip_vip: proxies={proxies}: it needs at least one")
        self.changes_from, self.changes_tokens = 0, True
        self.last = clip.layers - 1
        position = sum(clip.visual.cls_start[1:], torch.zeros(clip.width))
        self.proxies = nn.Parameter((torch.randn(proxies, clip.width) + position).detach())
        self.time = TimePositions(frames, clip.width)

    def before(self, x: Tensor) -> Tensor:
        proxies = repeat(self.proxies, "m d -> b m d", b=x.shape[0])
        return with_copies(torch.cat([x[:, 0, :1], proxies], 1), self.time(x[:, :, 1:]))

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        count = 1 + len(self.proxies)
        shared, patches = x[:, 0, :count], x[:, :, count:]
        normed, of_patches = block.ln_1(shared), block.ln_1(patches)
        shared = shared + block.ls_1(attend_from_shared(block.attn, normed, of_patches, mask))
        patches = patches + block.ls_1(attend_in_groups(block.attn, normed, of_patches, None))
        shared, patches = shared + transform(block, shared), patches + transform(block, patches)
        return with_copies(shared[:, :1] if i == self.last else shared, patches)
