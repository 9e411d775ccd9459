"""Token roll: before each of CLIP's blocks, some patches move to the neighbouring frames (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from stan.models.temporal.base import Project, TanhPooler, Temporal, require_free_places
from stan.models.temporal.video_tokens import TimePositions

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class TokenRoll(Temporal):
    """Takes patches from the previous frame, and as many from the next (All-in-one, `temporal_roll.py`).

    share: share of a frame's tokens that roll each way: the first patches come from the previous frame, the last from
        the next. 0 for no roll at all, as in the source's pass of a video without a text, which its retrieval by two
        towers uses: its pass with a text rolls.
    times: whether a learned vector per frame is added to its patches, which starts at zero, as in the source.
    shuffled: whether each frame's patches stand in a random order, another in each frame and pass, in inference, too,
        as in the source. Positions go with their patches, so that only what rolls depends on the order.
    pooler: whether the video is the tanh of a linear layer of the frames' mean, as in the source.

    The first frame follows the last. By default there are no parameters; with one frame, the method equals CLIP.
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        share: float = 0.125,
        times: bool = False,
        shuffled: bool = False,
        pooler: bool = False,
    ):
        super().__init__(clip, frames)
        self.changes_from = 0
        self.count = int(share * clip.tokens_per_frame + 1e-6)  # a share of 1/49 is one token of 49
        if share != 0 and not 1 <= self.count <= clip.patches // 2:
            raise ValueError(
                f"token_roll: share={share} rolls {self.count} of {clip.patches} patches each way: choose 1 to"
                f" {clip.patches // 2}"
            )
        if shuffled:
            require_free_places(clip, "token_roll with shuffled=True")
        self.time = TimePositions(frames, clip.width) if times else nn.Identity()
        self.order = Shuffle() if shuffled else nn.Identity()
        self.pooler = TanhPooler(clip.embed_dim, clip.embed_dim) if pooler else nn.Identity()

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.started(x) if i == 0 else x
        return super().inside(i, block, self.rolled(x, mask) if self.count else x, mask)

    def pool(self, frames: Tensor, cls: Tensor, mask: Tensor | None, project: Project) -> Tensor:
        return self.pooler(super().pool(frames, cls, mask, project))

    def started(self, x: Float[Tensor, "B T S D"]) -> Float[Tensor, "B T S D"]:
        """Return what the first block's roll reads: tokens with times, patches in their order."""
        own, patches = x.split([self.own_tokens, x.shape[2] - self.own_tokens], 2)
        return torch.cat([own, self.order(self.time(patches))], 2)

    def rolled(
        self, x: Float[Tensor, "B T S D"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B T S D"]:
        """Exchange patches between real frames."""
        count = self.count
        own, first, rest, last = x.split(
            [self.own_tokens, count, x.shape[2] - self.own_tokens - 2 * count, count], 2
        )
        if mask is None:
            from_before, from_after = first.roll(1, 1), last.roll(-1, 1)
        else:
            video = torch.arange(len(x), device=x.device)[:, None]
            from_before, from_after = first[video, _neighbour(mask, -1)], last[video, _neighbour(mask, 1)]
        return torch.cat([own, from_before, rest, from_after], 2)


class Shuffle(nn.Module):
    """Puts each frame's patches in a random order."""

    def forward(self, patches: Float[Tensor, "B T P D"]) -> Float[Tensor, "B T P D"]:
        order = torch.rand(patches.shape[:3], device=patches.device).argsort(2)
        return in_order(patches, order)


def in_order(patches: Float[Tensor, "B T P D"], order: Int[Tensor, "B T P"]) -> Float[Tensor, "B T P D"]:
    """Return patch `order[b, t, p]` of each frame at place p."""
    return patches.gather(2, order[..., None].expand_as(patches))


def _neighbour(real: Bool[Tensor, "B T"], steps: int) -> Int[Tensor, "B T"]:
    """Return the index of the real frame `steps` further on, wrapping around; padding frames keep their own index."""
    frames = torch.arange(real.shape[1], device=real.device).expand_as(real)
    in_order = (~real).int().argsort(dim=1, stable=True)  # real frames first
    rank = real.cumsum(1) - 1
    return torch.where(real, in_order.gather(1, (rank + steps) % real.sum(1, keepdim=True)), frames)
