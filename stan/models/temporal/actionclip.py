"""ActionCLIP's heads over frame embeddings: a transformer, or channels shifted in time, with a residual (posterior)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor, nn

from stan.models.temporal.base import Project, Temporal
from stan.models.temporal.frame_blocks import drawn_blocks, drawn_positions, mix, placed

if TYPE_CHECKING:
    from stan.models.clip import Clip

STD = 0.02


class ActionClip(Temporal):
    """Frame embeddings + positions -> blocks -> + frame embeddings (`modules/Visual_Prompt.py`, `Transf`).

    Positions and linear layers are drawn from N(0, .02^2); only the form of the blocks comes from CLIP.
    """

    def __init__(self, clip: Clip, frames: int, *, layers: int = 6):
        super().__init__(clip, frames)
        self.blocks = drawn_blocks(clip, layers, "actionclip", STD)
        self.position = drawn_positions(clip, clip.context_length, STD)

    def after(self, x: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(x[:, :, 0])
        return mix(self.blocks, placed(frames, self.position), mask) + frames


class ActionClipShift(Temporal):
    """A quarter of the channels from the previous frame, a quarter from the next, + frame embeddings (`Conv_1D`).

    The shift is a convolution over time in each channel, which training may change. The released code reads
    (frames, channels) as (channels, frames) without transposing, and so mixes the two; this code transposes.
    """

    def __init__(self, clip: Clip, frames: int):
        super().__init__(clip, frames)
        width = clip.embed_dim
        self.shift = nn.Conv1d(width, width, 3, padding=1, groups=width, bias=False)
        came_from = torch.full((width,), 1)  # 0: the previous frame, 1: the same, 2: the next
        came_from[: width // 4], came_from[-(width // 4) :] = 0, 2
        with torch.no_grad():
            self.shift.weight.copy_(nn.functional.one_hot(came_from, 3)[:, None])

    def after(self, x: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(x[:, :, 0])
        real = frames if mask is None else frames * mask[..., None]  # padding is zero, as beyond a clip's end
        return rearrange(self.shift(rearrange(real, "b t e -> b e t")), "b e t -> b t e") + frames
