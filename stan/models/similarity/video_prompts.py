"""Captions and videos in, the cosine of each pair out, after the caption was adapted to the video."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.similarity.base import PairSimilarity
from stan.models.temporal.frame_blocks import quick_gelu

if TYPE_CHECKING:
    from stan.models.clip import Clip, TextOutput
    from stan.models.video_encoder import VideoOutput

STD = 0.02


class VideoPrompts(PairSimilarity):
    """text + alpha * (text, after layers that attend to the video), then cosine (X-CLIP, `prompt.py`).

    alpha: initial value of the learned factor, which has one value per channel. Linear layers start from N(0, .02^2),
    biases at zero. The source attends to each patch's mean over frames. Here the layers attend to the frame embeddings,
    because a similarity sees only those.
    """

    def __init__(self, clip: Clip, *, layers: int = 2, alpha: float = 0.1):
        super().__init__(clip)
        self.norm = nn.LayerNorm(clip.embed_dim)
        self.layers = nn.ModuleList(PromptLayer(clip.embed_dim) for _ in range(layers))
        self.alpha = nn.Parameter(torch.full((clip.embed_dim,), alpha))

    def pairs(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        """Return the scores of all pairs at once."""
        prompt, frames = repeat(text.text, "n e -> b n e", b=len(video.video)), self.norm(video.frames)
        for layer in self.layers:
            prompt = layer(prompt, frames, video.mask)
        prompted = F.normalize(text.text + self.alpha * prompt, dim=-1)
        return torch.einsum("b n e, b e -> n b", prompted, F.normalize(video.video, dim=-1))


class PromptLayer(nn.Module):
    """Adds to captions what they find in the frames, then an MLP's output.

    It has 64 channels per head and no biases before the attention.
    """

    def __init__(self, width: int):
        super().__init__()
        self.heads = max(1, width // 64)
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
        self, text: Float[Tensor, "B N E"], frames: Float[Tensor, "B T E"], mask: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B N E"]:
        given = (self.query(self.norm_1(text)), self.key(frames), self.value(frames))
        q, k, v = (rearrange(x, "b n (h c) -> b h n c", h=self.heads) for x in given)
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
        text = text + self.out(rearrange(found, "b h n c -> b n (h c)"))
        hidden = self.up(self.norm_2(text))
        return text + self.down(quick_gelu(hidden))
