"""Captions and videos in, the cosine of each pair out, after the caption was adapted to the video."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.blocks import quick_gelu
from stan.models.similarity.base import PairSimilarity
from stan.models.temporal.base import mean_over_frames

if TYPE_CHECKING:
    from stan.models.clip import Clip
    from stan.models.temporal.base import Project
    from stan.models.text_tower import TextOutput
    from stan.models.video_encoder import VideoOutput

STD = 0.02
READS = ("frames", "patches")


class VideoPrompts(PairSimilarity):
    """text + alpha * (text, after layers that attend to the video), then cosine (X-CLIP, `prompt.py`).

    layers: number of layers. alpha: initial value of the learned factor, which has one value per channel. heads: of the
    layers' attention; None for 64 channels each, as in the source. reads: what the layers attend to: `patches`, each
    patch's mean over real frames behind a LayerNorm and a projection of its own, as in the source; or `frames`, the
    frame embeddings, which need neither and are kept for each video anyway.

    Linear layers start from N(0, .02^2), biases at zero, the patches' projection from N(0, 1).
    """

    def __init__(
        self,
        clip: Clip,
        *,
        layers: int = 2,
        alpha: float = 0.1,
        heads: int | None = None,
        reads: str = "frames",
    ):
        super().__init__(clip)
        if reads not in READS:
            raise ValueError(f"video_prompts: reads={reads!r}: choose one of {READS}")
        self.prefix = clip.prefix
        heads = max(1, clip.embed_dim // 64) if heads is None else heads
        if layers < 0:
            raise ValueError(f"video_prompts: layers={layers}: it can't be negative")
        if heads < 1 or clip.embed_dim % heads:
            raise ValueError(f"video_prompts: heads={heads} don't divide the {clip.embed_dim} channels")
        self.norm = nn.LayerNorm(clip.embed_dim)
        self.layers = nn.ModuleList(PromptLayer(clip.embed_dim, heads) for _ in range(layers))
        self.alpha = nn.Parameter(torch.full((clip.embed_dim,), alpha))
        self.patch_norm = self.patch_proj = None
        if reads == "patches":
            self.patch_norm = nn.LayerNorm(clip.width)
            self.patch_proj = nn.Parameter(torch.randn(clip.width, clip.embed_dim))

    def read(self, cls: Tensor, x: Tensor, real: Tensor, project: Project) -> Tensor:
        """Return each patch's mean embedding over real frames (B, P, E), or nothing where frames are read.

        Raises ValueError if the temporal method has merged frames, so that a patch's place is not that of a frame.
        """
        if self.patch_norm is None:
            return super().read(cls, x, real, project)
        if x.shape[1] != real.shape[1]:
            raise ValueError(
                "video_prompts reads patches of every frame, but this method merges frames: choose reads='frames'"
            )
        return mean_over_frames(self.patches(x), real)

    def patches(self, x: Float[Tensor, "B T S D"]) -> Float[Tensor, "B T P E"]:
        """Embed the patches among the last block's tokens."""
        assert self.patch_norm is not None and self.patch_proj is not None, "frames are read, not patches"
        return self.patch_norm(x[:, :, self.prefix :]) @ self.patch_proj

    def pairs(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        """Return the scores of all pairs at once."""
        prompted = F.normalize(text.text + self.prompts(text, video), dim=-1)
        return torch.einsum("b n e, b e -> n b", prompted, F.normalize(video.video, dim=-1))

    def prompts(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "videos texts E"]:
        """Return what is added to each text for each video."""
        seen, real = (video.frames, video.mask) if self.patch_norm is None else (video.context, None)
        prompt, seen = repeat(text.text, "n e -> b n e", b=video.video.shape[0]), self.norm(seen)
        for layer in self.layers:
            prompt = layer(prompt, seen, real)
        return self.alpha * prompt


class PromptLayer(nn.Module):
    """Adds to captions what they find in frames or patches, then an MLP's output.

    There are no biases before the attention.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.out, self.up, self.down = (
            nn.Linear(width, width),
            nn.Linear(width, 4 * width),
            nn.Linear(4 * width, width),
        )
        for linear in (self.query, self.key, self.value, self.out, self.up, self.down):
            nn.init.normal_(linear.weight, std=STD)
        for linear in (self.out, self.up, self.down):
            nn.init.zeros_(linear.bias)

    def forward(
        self, text: Float[Tensor, "B N E"], seen: Float[Tensor, "B S E"], real: Bool[Tensor, "B S"] | None
    ) -> Float[Tensor, "B N E"]:
        """Attend to what is `seen`, where it is `real`; None: everywhere."""
        given = (self.query(self.norm_1(text)), self.key(seen), self.value(seen))
        q, k, v = (rearrange(x, "b n (h c) -> b h n c", h=self.heads) for x in given)
        keys = None if real is None else real[:, None, None]
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=keys)
        text = text + self.out(rearrange(found, "b h n c -> b n (h c)"))
        hidden = self.up(self.norm_2(text))
        return text + self.down(quick_gelu(hidden))
