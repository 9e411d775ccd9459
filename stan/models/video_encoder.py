"""Frames in, frame and video embeddings out: the only loop over CLIP's blocks, which calls a method's hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, repeat
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from stan.common.tensors import joined
from stan.models.clip import Clip
from stan.models.temporal.base import Project, Temporal, frame_by_frame

Read = Callable[[Tensor, Tensor, Tensor, Project], Tensor]
"""Maps what CLIP pools of frames (B, T, C), their tokens (B, T, S, D), which are real (B, T), and CLIP's projection to
what is kept of them, (B, ...)."""

EASILY_TAKEN = 24 * 2**20
"""Largest size in bytes of the encoder's widest tensor on a CPU. From 32 MiB on, C's allocator takes fresh pages for
each tensor, and filling them costs a tenth of the time."""

WIDENED = 4
"""Ratio of the channels inside an MLP to those outside."""


class VideoOutput(NamedTuple):
    """Embedded videos, not normalised. `mask` is True for real frames.

    `video` is what the method makes of its frames, for most the mean of the real ones (`Temporal.pool`). `context` is
    what the similarity keeps of the tokens beside the embeddings (`Similarity.read`), for most of them nothing.
    """

    frames: Float[Tensor, "B T E"]
    video: Float[Tensor, "B E"]
    mask: Bool[Tensor, "B T"]
    context: Float[Tensor, " B *read"] = torch.empty(0)


class VideoEncoder(nn.Module):
    """CLIP's image tower with a temporal method before, inside, beside and after its blocks.

    A tower may embed z frames together, as a tubelet (`ImageTower.tubelet`). Then tokens, levels and what the method
    sees have a tubelet where others have a frame, and each of its frames has the tubelet's embedding.

    read: what is kept of the last block's tokens, a similarity's `read`; None for nothing. projected: whether
    embeddings lie in the space shared with the texts (E), or before CLIP's projection into it (then E stands for D).
    """

    def __init__(self, clip: Clip, temporal: Temporal, read: Read | None = None, projected: bool = True):
        super().__init__()
        self.clip = clip
        self.temporal = temporal
        self.read = read
        self.projected = projected

    def project(self, cls: Float[Tensor, "... C"]) -> Float[Tensor, "... E"]:
        """Map what CLIP pools of a frame to where embeddings lie, see `projected`."""
        tower = self.clip.visual
        return tower.project(cls) if self.projected else tower.normalise(cls)

    @property
    def levels_to_keep(self) -> tuple[int, ...]:
        """Levels that `from_levels` needs: those read beside unchanged blocks, and what the first change is made to."""
        start = self.temporal.changes_from
        if self.temporal.changes_tokens:
            assert start == 0, "tokens are changed before the first block"
            return (-2,)
        read = {i for i in self.temporal.levels if i < start}
        return tuple(sorted(read | ({start - 1} if start < self.clip.layers else set())))

    def forward(
        self, video: Float[Tensor, "B T 3 H W"], mask: Bool[Tensor, "B T"] | None = None
    ) -> VideoOutput:
        """Embed videos. `mask` is False where a frame is padding.

        Raises ValueError for another shape, for pixels that aren't prepared, and for a video without a real frame.
        """
        self._require_video(video, mask)
        parts = [self.together(piece, real) for piece, real in self._pieces(video, mask)]
        return parts[0] if len(parts) == 1 else joined(parts)

    def together(
        self, video: Float[Tensor, "B T 3 H W"], mask: Bool[Tensor, "B T"] | None = None
    ) -> VideoOutput:
        """Embed videos as `forward` does, but unchecked and all at once: without a mask, a graph can be traced."""
        return self._read(self.blocks(video, mask), mask)

    def from_levels(
        self, levels: Mapping[int, Float[Tensor, "B T S D"]], mask: Bool[Tensor, "B zT"] | None = None
    ) -> VideoOutput:
        """Embed videos from what `levels` computed earlier. Raises ValueError if any of `levels_to_keep` is missing."""
        kept = self.levels_to_keep
        missing = sorted(set(kept) - set(levels))
        if missing:
            raise ValueError(f"levels {missing} are missing: this method reads {kept}")
        start = self.temporal.changes_from
        changed: Iterable[tuple[int, Tensor]] = ()
        if start < self.clip.layers:
            first = self._started(levels[-2]) if self.temporal.changes_tokens else levels[start - 1]
            changed = self._blocks(start, first, self._by_tubelet(mask))
        return self._read(chain(((i, levels[i]) for i in kept if i >= 0), changed), mask)

    def embed(self, video: Float[Tensor, "B zT 3 H W"]) -> Float[Tensor, "B T S D"]:
        """Return the input of the first block."""
        return self._started(self._tokens(video))

    def blocks(
        self, video: Float[Tensor, "B zT 3 H W"], mask: Bool[Tensor, "B zT"] | None = None
    ) -> Iterator[tuple[int, Float[Tensor, "B T S D"]]]:
        """Yield each block's number and its output, as the method runs it."""
        return self._blocks(0, self.embed(video), self._by_tubelet(mask))

    @torch.no_grad()
    def levels(self, video: Float[Tensor, "B zT 3 H W"]) -> dict[int, Float[Tensor, "B T S D"]]:
        """Return the levels of CLIP alone, without gradient: every block's output by its index.

        Index -1 holds the input of the first block; -2, for a method that changes them, the tokens before CLIP's first
        LayerNorm.
        """
        self._require_video(video, None)
        tokens = self._tokens(video)
        levels = {-2: tokens} if self.temporal.changes_tokens else {}
        levels[-1] = self.clip.visual.start(tokens)
        for i, block in enumerate(self.clip.blocks):
            levels[i] = self.clip.visual.after(i, frame_by_frame(block, levels[i - 1]))
        return levels

    def picked(
        self,
        frames: Float[Tensor, "F 3 H W"],
        levels: Mapping[int, Float[Tensor, "1 _ S D"]],
        indices: Int[Tensor, "N T"],
    ) -> VideoOutput:
        """Embed clips that are made of one video's frames: those at `indices[n]` are clip n.

        levels: of the video, so that what CLIP makes of a frame is computed once for all clips. Frames that are read
        together make other tubelets in each clip, which are embedded anew.
        """
        if self.clip.visual.tubelet > 1:
            return self(frames[indices])
        return self.from_levels({i: levels[i][0, indices] for i in self.levels_to_keep})

    def _pieces(
        self, video: Float[Tensor, "B T 3 H W"], mask: Tensor | None
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Split the videos into groups that go through the blocks together.

        On a CPU without gradients, a group is no larger than EASILY_TAKEN allows; otherwise it holds all videos.
        """
        count = max(1, len(video))
        if video.device.type == "cpu" and not torch.is_grad_enabled():
            tokens = video.shape[1] * self.clip.tokens_per_frame
            widest = tokens * WIDENED * self.clip.width * self.clip.logit_scale.element_size()
            count = max(1, EASILY_TAKEN // widest)
        masks = repeat(None) if mask is None else mask.split(count)
        return zip(video.split(count), masks, strict=False)

    def _tokens(self, video: Tensor) -> Float[Tensor, "B T S D"]:
        tokens = self.clip.visual.tokens(self._tubelets(video))
        return rearrange(tokens, "(b t) s d -> b t s d", b=video.shape[0])

    def _tubelets(self, video: Float[Tensor, "B zT 3 H W"]) -> Float[Tensor, "B*T 3*read H W"]:
        """Return the pictures that are embedded: the frames of each tubelet, and those before it that it reads."""
        together, before = self.clip.visual.tubelet, self.clip.visual.frames_before
        if not before:
            return rearrange(video, "b (t z) c h w -> (b t) (z c) h w", z=together)
        frames = F.pad(video, (0, 0, 0, 0, 0, 0, before, 0)).unfold(1, before + together, together)
        return rearrange(frames, "b t c h w z -> (b t) (z c) h w")

    def _by_tubelet(self, mask: Bool[Tensor, "B zT"] | None) -> Bool[Tensor, "B T"] | None:
        """Return which tubelets are real: those whose first frame is."""
        return None if mask is None else mask[:, :: self.clip.visual.tubelet]

    def _started(self, tokens: Tensor) -> Float[Tensor, "B T S D"]:
        return self.clip.visual.start(self.temporal.before(tokens))

    def _blocks(self, first: int, x: Tensor, mask: Tensor | None) -> Iterator[tuple[int, Tensor]]:
        for i in range(first, self.clip.layers):
            x = self.clip.visual.after(i, self.temporal.inside(i, self.clip.blocks[i], x, mask))
            yield i, x

    def _read(self, outputs: Iterable[tuple[int, Tensor]], mask: Bool[Tensor, "B zT"] | None) -> VideoOutput:
        side, of_tubelets = None, self._by_tubelet(mask)
        for i, x in outputs:
            side = self.temporal.beside(i, x, side, of_tubelets)
        cls, project = self.clip.visual.pool(x), self.project
        frames = self.temporal.after(cls, side, of_tubelets, project)
        video = self.temporal.pool(frames, cls, of_tubelets, project)
        real = frames.new_ones(frames.shape[:2], dtype=torch.bool) if of_tubelets is None else of_tubelets
        context = (
            frames.new_zeros(frames.shape[0], 0) if self.read is None else self.read(cls, x, real, project)
        )
        if (together := self.clip.visual.tubelet) > 1:
            frames, real = (each.repeat_interleave(together, 1) for each in (frames, real))
        return VideoOutput(frames, video, real if mask is None else mask, context)

    def _require_video(self, video: Tensor, mask: Tensor | None) -> None:
        size = self.clip.image_size
        if video.ndim != 5 or tuple(video.shape[2:]) != (3, size, size) or 0 in video.shape[:2]:
            raise ValueError(
                f"video of shape {tuple(video.shape)}: expected (videos, frames, 3, {size}, {size})"
            )
        if not video.is_floating_point():
            raise ValueError(
                f"video of {video.dtype}: expected floating-point numbers, which `DualEncoder.decode` and"
                " `stan.data.video.transforms` make of pixels from 0 to 255"
            )
        if video.shape[1] % self.clip.visual.tubelet:
            raise ValueError(
                f"{video.shape[1]} frames: this model reads {self.clip.visual.tubelet} at a time, so give a multiple"
            )
        if mask is None:
            return
        if mask.shape != video.shape[:2] or mask.dtype != torch.bool or not mask.any(1).all():
            raise ValueError(
                f"mask of shape {tuple(mask.shape)}, {mask.dtype}: expected {tuple(video.shape[:2])}, torch.bool,"
                " with a True in each row"
            )
