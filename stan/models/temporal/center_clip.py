"""CenterCLIP: halfway through CLIP, frames are merged into segments that keep only central tokens (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from stan.models.temporal.base import Project, Temporal, mean_over_frames, require_free_places

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip

ITERATIONS = 100


class CenterClip(Temporal):
    """Keeps the K medoids of each segment's patch tokens before a block (CenterCLIP, `cluster.py`); no parameters.

    segment: number of frames merged into one segment (the source merges 12 frames into 6). clusters: K; None means the
    number of patches of a frame (49 in the source). block: the first block that reads the medoids, counted from 0; None
    means that half of the blocks lie before it.

    A segment's CLS token is the mean of its frames' CLS tokens. After the blocks, each frame gets its segment's
    embedding, so the mean over frames is the mean over segments. A segment that the clip's end cuts short weighs less,
    because it has fewer frames.

    Frame order has one effect only: of two equally central tokens, the first is kept. In a cluster of two both are
    equally central, so that the token of the earlier frame always stays; in the source, which takes distances by a
    matrix product, rounding decides (for the earlier frame in about 73 of 100). Distances are exact here.

    normalised: as in the base class; the source normalises segments. unmasked: True clusters as released, as if no
    frame were padding, and counts a segment if its last frame is real. Where there is none (a video shorter than a
    segment, NaN in the source), the first segment counts.
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        segment: int = 2,
        clusters: int | None = None,
        block: int | None = None,
        normalised: bool = False,
        unmasked: bool = False,
    ):
        super().__init__(clip, frames, normalised=normalised)
        require_free_places(clip, "center_clip")
        self.unmasked = unmasked
        self.segment = segment
        self.clusters = clip.patches if clusters is None else clusters
        self.block = self.changes_from = clip.layers // 2 if block is None else block
        if segment < 1 or not 1 <= self.clusters <= clip.patches:
            raise ValueError(
                f"center_clip: segment={segment}, clusters={clusters}: choose segments of at least 1 frame and 1 to"
                f" {clip.patches} clusters (the patches of a frame)"
            )
        if not 1 <= self.block < clip.layers:
            raise ValueError(f"center_clip: block={block}: choose one of 1 to {clip.layers - 1}")

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        return super().inside(i, block, self._merge(x, mask) if i == self.block else x, mask)

    def beside(self, i: int, x: Tensor, side: int | None, mask: Tensor | None) -> int:
        """Return the number of frames, read before they are merged."""
        return x.shape[1] if side is None else side

    def after(self, cls: Tensor, side: int, mask: Tensor | None, project: Project) -> Tensor:
        return project(cls).repeat_interleave(self.segment, 1)[:, :side]

    def pool(self, frames: Tensor, cls: Tensor, mask: Tensor | None, project: Project) -> Tensor:
        if mask is None or not self.unmasked:
            return super().pool(frames, cls, mask, project)
        return super().pool(project(cls), cls, self.segment_mask(mask), project)

    def segment_mask(self, mask: Bool[Tensor, "B T"]) -> Bool[Tensor, "B segments"]:
        """Return whether each segment's last frame is real; the first segment counts where no other does."""
        frames = mask.shape[1]
        last = torch.arange(self.segment, frames + self.segment, self.segment, device=mask.device) - 1
        real = mask[:, last.clamp(max=frames - 1)]
        real[:, 0] |= ~real.any(1)
        return real

    def _merge(
        self, x: Float[Tensor, "B T S D"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B segments prefix+K D"]:
        videos, frames = x.shape[:2]
        if mask is None or self.unmasked:
            mask = torch.ones(videos, frames, dtype=torch.bool, device=x.device)
        missing = -frames % self.segment
        x = rearrange(F.pad(x, (0, 0, 0, 0, 0, missing)), "b (n t) s d -> (b n) t s d", t=self.segment)
        real = rearrange(F.pad(mask, (0, missing)), "b (n t) -> (b n) t", t=self.segment)
        # a segment of padding alone needs a CLS token, too
        own = mean_over_frames(x[:, :, : self.own_tokens], real | ~real.any(1, keepdim=True))
        tokens = rearrange(x[:, :, self.own_tokens :], "n t p d -> n (t p) d")
        chosen = medoids(tokens, real.repeat_interleave(x.shape[2] - self.own_tokens, 1), self.clusters)
        kept = tokens.gather(1, chosen[..., None].expand(-1, -1, tokens.shape[2]))
        return rearrange(torch.cat([own, kept], 1), "(b n) s d -> b n s d", b=videos)


@torch.no_grad()
def medoids(
    tokens: Float[Tensor, "N M D"], real: Bool[Tensor, "N M"], clusters: int
) -> Int[Tensor, "N clusters"]:
    """Return, in ascending order, the indices of the tokens that each stand for a cluster.

    They are `real` tokens if there are enough. K-medoids by Euclidean distance: every token joins its nearest medoid,
    then each cluster's token with the smallest sum of distances becomes its medoid, until none changes or after
    ITERATIONS rounds (`fast_kmeans.py`).
    """
    if tokens.is_meta:  # where work is counted, tokens have no values and none of them is central
        return tokens.new_empty(len(tokens), clusters, dtype=torch.long)
    tokens = tokens.float()
    distance = torch.cdist(tokens, tokens, compute_mode="donot_use_mm_for_euclid_dist")
    # each token is nearer to itself than to an equal token, so that no cluster is empty
    distance.diagonal(dim1=1, dim2=2).fill_(-1)
    chosen = _first_medoids(tokens, distance, real, clusters)
    for _ in range(ITERATIONS):
        nearest = distance.gather(1, chosen[..., None].expand(-1, -1, distance.shape[2])).argmin(1)  # (N, M)
        member = F.one_hot(nearest, clusters).bool() & real[..., None]  # (N, M, clusters)
        with torch.autocast(tokens.device.type, enabled=False):
            spread = distance @ member.float()
        previous, chosen = chosen, spread.masked_fill(~member, torch.inf).argmin(1)
        if torch.equal(chosen, previous):
            break
    return chosen.sort(1).values


def _first_medoids(
    tokens: Tensor, distance: Tensor, real: Tensor, clusters: int
) -> Int[Tensor, "N clusters"]:
    """Choose the longest token, then repeatedly the one farthest from all chosen (Katsavounidis, Kuo, Zhang 1994)."""
    chosen = [tokens.norm(dim=-1).masked_fill(~real, -torch.inf).argmax(1)]
    gap = torch.full(real.shape, torch.inf, device=tokens.device)
    for _ in range(clusters - 1):
        to_last = distance.gather(1, chosen[-1][:, None, None].expand(-1, 1, distance.shape[2]))[:, 0]
        gap = torch.minimum(gap, to_last)
        chosen.append(gap.masked_fill(~real, -torch.inf).argmax(1))
    return torch.stack(chosen, 1)
