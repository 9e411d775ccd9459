"""ViViT's factorised encoder: a transformer over frame embeddings whose own CLS stands for the video (posterior)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.temporal.base import Project, Temporal
from stan.models.temporal.frame_blocks import drawn_blocks, drawn_positions, mix, placed
from stan.models.temporal.video_tokens import draw_as_flax

if TYPE_CHECKING:
    from stan.models.clip import Clip

STD = 0.02
EPS = 1e-6


class FactorisedEncoder(Temporal):
    """[CLS; frame embeddings] + positions -> blocks -> LayerNorm -> the CLS (ViViT, model 2; VTN is a method apart).

    All weights are drawn anew, as in the source: none come from CLIP. Every frame gets the video's embedding.

    released: False: blocks of the text tower's form, whose linear layers start from N(0, .02^2), as the CLS does.
        True: scenic's (`vivit/model.py`): the tanh approximation of GELU, a layer norm eps of 1e-6, matrices from
        Xavier's uniform distribution, the CLS zero.
    heads, hidden: heads, and channels inside the MLPs, of the released blocks; None for 64 channels each and four
        times E.
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        layers: int = 4,
        released: bool = False,
        heads: int | None = None,
        hidden: int | None = None,
    ):
        super().__init__(clip, frames)
        width = clip.embed_dim
        if not released and (heads, hidden) != (None, None):
            raise ValueError("factorised_encoder: heads and hidden are for released=True")
        self.released = released
        if released:
            self.blocks = _released_blocks(
                width,
                layers,
                max(1, width // 64) if heads is None else heads,
                4 * width if hidden is None else hidden,
            )
            self.position = drawn_positions(clip, 1 + frames, STD)
            self.cls = nn.Parameter(torch.zeros(width))
            self.norm = nn.LayerNorm(width, eps=EPS)
        else:
            self.blocks = drawn_blocks(clip, layers, "factorised_encoder", STD)
            self.position = drawn_positions(clip, 1 + clip.context_length, STD)
            self.cls = nn.Parameter(STD * torch.randn(width))
            self.norm = nn.LayerNorm(width)

    def after(self, cls: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(cls)
        tokens = torch.cat([repeat(self.cls, "e -> b 1 e", b=frames.shape[0]), frames], 1)
        real = None if mask is None else F.pad(mask, (1, 0), value=True)
        mixed = self._mix(placed(tokens, self.position), real)
        return self.norm(mixed).expand_as(frames)

    def _mix(self, x: Float[Tensor, "B S E"], real: Bool[Tensor, "B S"] | None) -> Float[Tensor, "B 1 E"]:
        """Return the first token behind the blocks."""
        if not self.released:
            return mix(self.blocks, x, real, read=1)
        for block in self.blocks:
            x = block(x, src_key_padding_mask=None if real is None else ~real)
        return x[:, :1]


def _released_blocks(width: int, layers: int, heads: int, hidden: int) -> nn.ModuleList:
    if layers < 1 or heads < 1 or width % heads:
        raise ValueError(
            f"factorised_encoder: layers={layers}, heads={heads}: choose at least one layer, and heads that share"
            f" {width} channels"
        )
    if hidden < 1:
        raise ValueError(f"factorised_encoder: hidden={hidden}: it must be at least 1")
    block = partial(
        nn.TransformerEncoderLayer,
        *(width, heads, hidden),
        dropout=0.0,
        activation=partial(F.gelu, approximate="tanh"),
        layer_norm_eps=EPS,
        batch_first=True,
        norm_first=True,
    )
    return nn.ModuleList(block() for _ in range(layers)).apply(draw_as_flax)
