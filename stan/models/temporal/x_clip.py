"""X-CLIP: frames exchange messages in CLIP's blocks, and a small transformer joins them afterwards (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.attention import attend_over_time, own_places
from stan.models.blocks import quick_gelu
from stan.models.temporal.base import Project, Temporal, require_parts
from stan.models.temporal.dropout import FRAMES, PLACES, DropPath, rising
from stan.models.temporal.video_tokens import TimePositions, attend_within, transform

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class XClip(Temporal):
    """Message tokens in every block (`cct.py`), then the multiframe integration transformer, MIT (`mit.py`).

    layers: number of blocks of the MIT; 0 leaves it out, and with it all knowledge of frame order. heads: of the MIT's
    attention; None for 64 channels each, as in the source. drop_path: share of a block's additions that training drops,
    rising from 0 in the first block. The source drops a token's place for all videos of a batch at once; here it is
    drawn for each video.

    A frame's tokens attend to its message as well as to each other, so the model doesn't start as CLIP. All new
    parameters start at random, as in the source.
    """

    def __init__(
        self, clip: Clip, frames: int, *, layers: int = 1, heads: int | None = None, drop_path: float = 0.0
    ):
        super().__init__(clip, frames)
        require_parts(clip, "x_clip")
        self.changes_from = 0
        self._cls = clip.visual.cls  # a method, so that the tower isn't registered again
        if layers < 0:
            raise ValueError(f"x_clip: layers={layers}: it can't be negative")
        rates = rising(drop_path, clip.layers, "x_clip")
        self.messages = nn.ModuleList(Message(clip.width, clip.heads, rate) for rate in rates)
        self.drop_path = nn.ModuleList(DropPath(rate) for rate in rates)
        heads = max(1, clip.embed_dim // 64) if heads is None else heads
        self.integration = Integration(frames, clip.embed_dim, layers, heads) if layers else None

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        drop = self.drop_path[i]
        with_message = torch.cat([x, self.messages[i](self._cls(x)[:, :, None], mask)], 2)
        own = own_places(block.attn)
        places = None if own is None else F.pad(own, (0, 1))  # a message lies nowhere
        x = x + drop(attend_within(block, with_message, x.shape[2], places), PLACES)
        return x + drop(transform(block, x), PLACES)

    def after(self, cls: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(cls)
        return frames if self.integration is None else self.integration(frames, mask)


class Message(nn.Module):
    """Turns each frame's CLS token into a message: a projection that attends to the projections of all frames."""

    def __init__(self, width: int, heads: int, drop_path: float):
        super().__init__()
        self.write = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.drop_path = DropPath(drop_path)

    def forward(
        self, cls: Float[Tensor, "B T 1 D"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B T 1 D"]:
        message = self.write(cls)
        return message + self.drop_path(attend_over_time(self.attention, self.norm(message), mask), FRAMES)


class Integration(nn.Module):
    """Frame embeddings + positions -> pre-norm blocks -> + frame embeddings."""

    def __init__(self, frames: int, width: int, layers: int, heads: int):
        super().__init__()
        self.time = TimePositions(frames, width, std=0.02)
        self.blocks = nn.ModuleList(_block(width, heads) for _ in range(layers))

    def forward(
        self, frames: Float[Tensor, "B T E"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B T E"]:
        y = self.time(frames)
        for block in self.blocks:
            y = block(y, src_key_padding_mask=None if mask is None else ~mask)
        return y + frames


def _block(width: int, heads: int) -> nn.TransformerEncoderLayer:
    """Return a block; linear layers from N(0, .02^2), biases at zero."""
    block = nn.TransformerEncoderLayer(
        width, heads, 4 * width, 0.0, quick_gelu, batch_first=True, norm_first=True
    )
    for module in block.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
    return block
