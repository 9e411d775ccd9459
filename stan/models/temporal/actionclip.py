"""ActionCLIP's heads over frame embeddings: a transformer, or channels shifted in time, with a residual (posterior)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor, nn

from stan.models.temporal.base import Project, Temporal
from stan.models.temporal.frame_blocks import BlockForm, drawn_blocks, drawn_positions, mix, placed

if TYPE_CHECKING:
    from stan.models.clip import Clip

STD = 0.02


class ActionClip(Temporal):
    """Frame embeddings + positions -> blocks -> + frame embeddings (`modules/Visual_Prompt.py`, `Transf`).

    layers: number of blocks. By default, blocks have the form of CLIP's text blocks. What the source fixes instead:
    heads: number of heads (there the text tower's); with it, the text tower need not be as wide as the embedding. eps:
    of the blocks' layer norms (1e-12). activation: quick_gelu (there, whatever CLIP's own is) or gelu. positions: how
    many there are; None for as many as the text tower has, as there.

    Positions and linear layers are drawn from N(0, .02^2).
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        layers: int = 6,
        heads: int | None = None,
        eps: float | None = None,
        activation: str | None = None,
        positions: int | None = None,
    ):
        super().__init__(clip, frames)
        positions = clip.context_length if positions is None else positions
        if frames > positions:
            raise ValueError(f"actionclip: frames={frames}: there are positions={positions}")
        form = BlockForm(heads, eps, activation)
        self.blocks = drawn_blocks(clip, layers, "actionclip", STD, form)
        self.position = drawn_positions(clip, positions, STD)

    def after(self, cls: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(cls)
        return mix(self.blocks, placed(frames, self.position), mask) + frames


class ActionClipShift(Temporal):
    """A quarter of the channels from the previous frame, a quarter from the next, + frame embeddings (`Conv_1D`).

    The shift is a convolution over time in each channel, which training may change.

    transposed: False reads (frames, channels) in memory as (channels, frames) without transposing, as the released code
    does: so it mixes the two, and padding frames, which are zero, with the real ones.
    """

    def __init__(self, clip: Clip, frames: int, *, transposed: bool = True):
        super().__init__(clip, frames)
        self.transposed = transposed
        width = clip.embed_dim
        self.shift = nn.Conv1d(width, width, 3, padding=1, groups=width, bias=False)
        came_from = torch.full((width,), 1)  # 0: the previous frame, 1: the same, 2: the next
        came_from[: width // 4], came_from[-(width // 4) :] = 0, 2
        with torch.no_grad():
            self.shift.weight.copy_(nn.functional.one_hot(came_from, 3)[:, None])

    def after(self, cls: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(cls)
        real = frames if mask is None else frames * mask[..., None]  # padding is zero, as beyond a clip's end
        turned = rearrange(real, "b t e -> b e t")
        turned = (
            turned if self.transposed else real.reshape(turned.shape)
        )  # the same numbers in their order in memory
        return rearrange(self.shift(turned), "b e t -> b t e") + frames
