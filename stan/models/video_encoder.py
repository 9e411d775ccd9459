"""Frames in, frame and video embeddings out: the only loop over CLIP's blocks, calling the three hooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.clip import Clip
from stan.temporal.base import Temporal, mean_over_frames


class VideoOutput(NamedTuple):
    """Embedded videos, not normalised; `video` is the mean of `frames` over the real ones, where `mask` is True."""

    frames: Float[Tensor, "B T E"]
    video: Float[Tensor, "B E"]
    mask: Bool[Tensor, "B T"]


class VideoEncoder(nn.Module):
    """CLIP's image tower with a temporal method inside, beside and after its blocks."""

    def __init__(self, clip: Clip, temporal: Temporal):
        super().__init__()
        self.clip = clip
        self.temporal = temporal

    def forward(
        self, video: Float[Tensor, "B T 3 H W"], mask: Bool[Tensor, "B T"] | None = None
    ) -> VideoOutput:
        """Embeds videos; `mask` is False where a frame is padding. Raises ValueError for another shape."""
        return self._read(self._live(video, mask), mask)

    def from_levels(
        self, levels: Mapping[int, Float[Tensor, "B T S D"]], mask: Bool[Tensor, "B T"] | None = None
    ) -> VideoOutput:
        """The same from block outputs computed earlier; needs at least `temporal.levels`."""
        self._require_unchanged_clip()
        missing = sorted(set(self.temporal.levels) - set(levels))
        if missing:
            raise ValueError(
                f"levels {missing} are missing: this method reads the outputs of {self.temporal.levels}"
            )
        return self._read(((i, levels[i]) for i in self.temporal.levels), mask)

    @torch.no_grad()
    def levels(self, video: Float[Tensor, "B T 3 H W"]) -> list[Float[Tensor, "B T S D"]]:
        """Every block's output, without gradient: what `from_levels` may be given later."""
        self._require_unchanged_clip()
        return [x for _, x in self._live(video, None)]

    def _live(self, video: Tensor, mask: Tensor | None) -> Iterator[tuple[int, Tensor]]:
        self._require_video(video, mask)
        x = self.clip.embed(rearrange(video, "b t c h w -> (b t) c h w"))
        x = rearrange(x, "(b t) s d -> b t s d", t=video.shape[1])
        for i, block in enumerate(self.clip.blocks):
            x = self.temporal.inside(i, block, x, mask)
            yield i, x

    def _read(self, outputs: Iterator[tuple[int, Tensor]], mask: Tensor | None) -> VideoOutput:
        side = None
        for i, x in outputs:
            side = self.temporal.beside(i, x, side, mask)
        frames = self.temporal.after(self.clip.pool(x), side, mask, self.clip.project)
        real = torch.ones(frames.shape[:2], dtype=torch.bool, device=frames.device) if mask is None else mask
        return VideoOutput(frames, mean_over_frames(frames, mask), real)

    def _require_video(self, video: Tensor, mask: Tensor | None) -> None:
        size = self.clip.image_size
        if video.ndim != 5 or tuple(video.shape[2:]) != (3, size, size) or video.shape[1] == 0:
            raise ValueError(
                f"video of shape {tuple(video.shape)}: expected (videos, frames, 3, {size}, {size})"
            )
        if mask is not None and (mask.shape != video.shape[:2] or not mask.any(1).all()):
            raise ValueError(
                f"mask of shape {tuple(mask.shape)}: expected {tuple(video.shape[:2])} with a True in each"
                " row"
            )

    def _require_unchanged_clip(self) -> None:
        if self.temporal.changes_clip:
            raise ValueError(
                f"{type(self.temporal).__name__} works inside CLIP's blocks, so their outputs cannot be"
                " computed once:"
                " train it without cached levels"
            )
