"""VTN: a Longformer over frame embeddings, whose CLS asks all frames by projections of its own (posterior)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.temporal.base import Project, Temporal

if TYPE_CHECKING:
    from stan.models.clip import Clip

STD = 0.02
EPS = 1e-12


class Vtn(Temporal):
    """[CLS; frames] + positions + kinds -> LayerNorm -> post-norm layers -> the CLS -> MLP (`vtn_helper.py`).

    layers, heads: of the Longformer; heads None stands for 64 channels each. window: a frame sees the frames within
    half of it, and the CLS; the CLS sees all frames. hidden: channels inside the MLPs; None for four times E.
    positions: size of the table of positions, whose last two rows are no frame's.

    The defaults are the source's. Linear layers start from N(0, .02^2) with biases zero, the CLS from N(0, 1). Every
    frame gets the video's embedding: the CLS after a LayerNorm, a linear layer and GELU, which the source's classifier
    reads. Frame t has position t. Nothing reads what the last layer makes of the frames.
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        layers: int = 3,
        heads: int | None = None,
        window: int = 18,
        hidden: int | None = None,
        positions: int = 288,
    ):
        super().__init__(clip, frames)
        width = clip.embed_dim
        heads = max(1, width // 64) if heads is None else heads
        hidden = 4 * width if hidden is None else hidden
        if layers < 1 or window < 2 or heads < 1 or width % heads:
            raise ValueError(
                f"vtn: layers={layers}, window={window}, heads={heads}: choose at least one layer, a window of at least"
                f" 2 and heads that share {width} channels"
            )
        if hidden < 1:
            raise ValueError(f"vtn: hidden={hidden}: it must be at least 1")
        if frames > positions - 2:
            raise ValueError(
                f"vtn: frames={frames}: the table has positions={positions}, two of them no frame's"
            )
        self.cls = nn.Parameter(torch.randn(width))
        self.position = nn.Parameter(STD * torch.randn(positions, width))
        self.kind = nn.Parameter(STD * torch.randn(2, width))
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.layers = nn.ModuleList(LongformerLayer(width, heads, window, hidden) for _ in range(layers))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())
        self.apply(_draw)

    def after(self, cls: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(cls)
        return self.head(self._mixed(frames, mask)[:, :1]).expand_as(frames)

    def _mixed(
        self, frames: Float[Tensor, "B T E"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B 1+T E"]:
        count = frames.shape[1]
        if count > len(self.position) - 2:
            raise ValueError(f"{count} frames; this model has {len(self.position) - 2} positions")
        cls = repeat(self.cls + self.position[-2] + self.kind[1], "e -> b 1 e", b=frames.shape[0])
        x = self.norm(torch.cat([cls, frames + self.position[:count] + self.kind[0]], 1))
        real = torch.ones_like(frames[..., 0], dtype=torch.bool) if mask is None else mask
        for layer in self.layers:
            x = layer(x, F.pad(real, (1, 0), value=True))
        return x


class LongformerLayer(nn.Module):
    """Attention within a window and to the CLS, then an MLP, each followed by its LayerNorm (post-norm).

    `projections`: queries, keys and values for what the frames see, then those for what the CLS sees.
    """

    def __init__(self, width: int, heads: int, window: int, hidden: int):
        super().__init__()
        self.heads, self.reach = heads, window // 2
        # One tensor, because nothing reads what the last layer makes of the frames: alone, their part would be a
        # parameter without a gradient, which training in several processes refuses.
        self.projections = nn.Linear(width, 6 * width)
        self.out = nn.Linear(width, width)
        self.norm_1 = nn.LayerNorm(width, eps=EPS)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.norm_2 = nn.LayerNorm(width, eps=EPS)

    def forward(self, x: Float[Tensor, "B S E"], real: Bool[Tensor, "B S"]) -> Float[Tensor, "B S E"]:
        """Run the layer; nothing attends to tokens where `real` is False. Token 0 is the CLS."""
        place = torch.arange(x.shape[1], device=x.device)
        near = ((place[:, None] - place).abs() <= self.reach) | (place == 0)
        frames, cls = rearrange(
            self.projections(x), "b s (two three h c) -> two three b h s c", two=2, three=3, h=self.heads
        )
        mixed_frames = _mix(*frames, near & real[:, None, None])[:, 1:]
        mixed_cls = _mix(cls[0][:, :, :1], *cls[1:], real[:, None, None])
        x = self.norm_1(x + self.out(torch.cat([mixed_cls, mixed_frames], 1)))
        return self.norm_2(x + self.mlp(x))


def _mix(
    q: Float[Tensor, "B heads Q c"],
    k: Float[Tensor, "B heads S c"],
    v: Float[Tensor, "B heads S c"],
    keys: Bool[Tensor, "B 1 Q S"],
) -> Float[Tensor, "B Q E"]:
    return rearrange(F.scaled_dot_product_attention(q, k, v, attn_mask=keys), "b h q c -> b q (h c)")


def _draw(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=STD)
        nn.init.zeros_(module.bias)
