"""CLIP2Video's temporal alignment block: text tokens and frames in, the mean of their cosine and an aligned one out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.similarity.base import Similarity
from stan.models.temporal.frame_blocks import copied_blocks, require_eps
from stan.models.temporal.temporal_difference import TemporalDifference

if TYPE_CHECKING:
    from stan.models.clip import Clip
    from stan.models.temporal.base import Project, Temporal
    from stan.models.text_tower import TextOutput
    from stan.models.video_encoder import VideoOutput


class TemporalAlignment(Similarity):
    """Averages the cosine with a cosine of differences from shared centres (CLIP2Video, `get_TAB_embedding`).

    A softmax assigns each token or frame to the centres and weighs its differences from them. These are summed over the
    tokens (without the start token) or the frames, normalised, averaged over centres and normalised again. The score is
    the mean of both cosines; in training, each has a loss.

    resampled: False aligns the temporal method's frames. True aligns CLIP's own and, once more, every second of them
    after the differences of `temporal_difference` and a block of the similarity's own (`TAB_TDB`, as released). eps: of
    that block's LayerNorms, 1e-12 in the source; None for CLIP's own 1e-5.
    """

    def __init__(
        self,
        clip: Clip,
        *,
        centres: int = 5,
        std: float = 1 / 8,
        resampled: bool = False,
        eps: float | None = None,
    ):
        super().__init__(clip)
        if centres < 1:
            raise ValueError(f"temporal_alignment: centres={centres}: it must be at least 1")
        if std < 0:
            raise ValueError(f"temporal_alignment: std={std}: it can't be negative")
        require_eps(eps, "temporal_alignment")
        self.weight = nn.Parameter(std * torch.randn(centres, clip.embed_dim))
        self.centre = nn.Parameter(std * torch.randn(centres, clip.embed_dim))
        self.blocks = copied_blocks(clip, 1, "temporal_alignment", eps) if resampled else None
        self._temporal: tuple[TemporalDifference, ...] = ()

    def attach(self, temporal: Temporal) -> None:
        if self.blocks is None:
            return
        if not isinstance(temporal, TemporalDifference):
            raise ValueError(
                "temporal_alignment: resampled=True shares the differences of the method temporal_difference: choose it"
            )
        self._temporal = (temporal,)  # a tuple, so that its parameters aren't registered again

    def read(self, cls: Tensor, x: Tensor, real: Tensor, project: Project) -> Float[Tensor, "B E"]:
        if self.blocks is None:
            return super().read(cls, x, real, project)
        return self.aligned(*self.resampled(project(cls), real))

    def forward(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        whole, aligned = self.parts(text, video)
        return (whole + aligned) / 2

    def parts(self, text: TextOutput, video: VideoOutput) -> tuple[Float[Tensor, "texts videos"], ...]:
        whole = F.normalize(text.text, dim=-1) @ F.normalize(video.video, dim=-1).T
        frames = self.aligned(video.frames, video.mask) if self.blocks is None else video.context
        return whole, self.aligned(text.tokens[:, 1:], text.mask[:, 1:]) @ frames.T

    def resampled(
        self, frames: Float[Tensor, "B T E"], real: Bool[Tensor, "B T"]
    ) -> tuple[Float[Tensor, "B S E"], Bool[Tensor, "B S"]]:
        """Return CLIP's frames, then every second one mixed with its differences (S = T + T / 2, rounded up)."""
        assert self.blocks is not None
        seldom, of_seldom = frames[:, ::2], real[:, ::2]
        # a clip without any real one still needs a key for the attention
        keys = of_seldom | ~of_seldom.any(1, keepdim=True)
        mixed = self._temporal[0].mixed(self.blocks, seldom, keys)
        return torch.cat([frames, mixed], 1), torch.cat([real, of_seldom], 1)

    def aligned(self, x: Float[Tensor, "B S E"], real: Bool[Tensor, "B S"]) -> Float[Tensor, "B E"]:
        """Return the normalised mean over the centres of the differences from them."""
        weights = (x @ self.weight.T).softmax(-1) * real[..., None]
        # the sum over s of weight_k * (x - centre_k), without a tensor of all differences
        sums = einsum(weights, x, "b s k, b s e -> b k e") - weights.sum(1)[..., None] * self.centre
        return F.normalize(F.normalize(sums, dim=-1).mean(1), dim=-1)
