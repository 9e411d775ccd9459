"""DRL's weighted token-wise interaction: text tokens and frames in, the weighted mean of their best matches out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch.nn.functional as F
from einops import einsum
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.similarity.base import PairSimilarity

if TYPE_CHECKING:
    from stan.models.clip import Clip
    from stan.models.text_tower import TextOutput
    from stan.models.video_encoder import VideoOutput

STD = 0.02
DEEPEST = 3


class Matches(NamedTuple):
    """All real tokens (or frames) of a batch, normalised, with the frame (or token) of their pair that fits best."""

    own: Float[Tensor, "N E"]
    best: Float[Tensor, "N E"]
    weight: Float[Tensor, " N"]
    """Within each text or video, the weights sum to one."""


class TokenInteraction(PairSimilarity):
    """Averages the match of each token's best frame and of each frame's best token (DRL, `wti_interaction`).

    s = 1/2 (sum_t w_t max_v <t, v> + sum_v w_v max_t <t, v>). The learned weights are a softmax of Linear-ReLU-Linear;
    all linear layers start from N(0, .02^2), biases at zero.

    layers: number of linear layers behind each side's weights, 1 to 3 (`wti_arch`); 0 weighs all alike (`ti`). bias:
    whether the last of them has one, as in the source; it shifts a side's logits equally, which their softmax ignores.
    padded_as_zero: False leaves padding out; True counts a cosine with it as 0, as the source does, so that a padded
    text or video has no best cosine below 0.
    """

    def __init__(self, clip: Clip, *, layers: int = 2, bias: bool = False, padded_as_zero: bool = False):
        super().__init__(clip)
        if not 0 <= layers <= DEEPEST:
            raise ValueError(f"token_interaction: layers={layers}: choose 0 to {DEEPEST}")
        self.padded_as_zero = padded_as_zero
        self.text, self.video = (
            _weigher(clip.embed_dim, layers, bias) if layers else None for _ in ("text", "video")
        )

    def pairs(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        tokens, frames = F.normalize(text.tokens, dim=-1), F.normalize(video.frames, dim=-1)
        cosine = einsum(tokens, frames, "a t e, b v e -> a b t v")
        over_frames, over_tokens = self._comparable(cosine, text.mask[:, None, :, None], video.mask[:, None])
        best_frame, best_token = over_frames.amax(3), over_tokens.amax(2)
        of_tokens = einsum(best_frame, _weights(self.text, text.tokens, text.mask), "a b t, a t -> a b")
        of_frames = einsum(best_token, _weights(self.video, video.frames, video.mask), "a b v, b v -> a b")
        return (of_tokens + of_frames) / 2

    def matches(self, text: TextOutput, video: VideoOutput) -> tuple[Matches, Matches]:
        """Return how the tokens and the frames of each pair match; text i belongs to video i."""
        tokens, frames = F.normalize(text.tokens, dim=-1), F.normalize(video.frames, dim=-1)
        cosine = einsum(tokens, frames, "b t e, b v e -> b t v")
        over_frames, over_tokens = self._comparable(cosine, text.mask[:, :, None], video.mask[:, None])
        frame_of = frames.take_along_dim(over_frames.argmax(2)[..., None], 1)
        token_of = tokens.take_along_dim(over_tokens.argmax(1)[..., None], 1)
        word, real = text.mask, video.mask
        of_tokens = _weights(self.text, text.tokens, word)[word]
        of_frames = _weights(self.video, video.frames, real)[real]
        return Matches(tokens[word], frame_of[word], of_tokens), Matches(
            frames[real], token_of[real], of_frames
        )

    def _comparable(
        self,
        cosine: Float[Tensor, "*pairs L T"],
        words: Bool[Tensor, "*pairs L 1"],
        real: Bool[Tensor, "*pairs 1 T"],
    ) -> tuple[Float[Tensor, "*pairs L T"], Float[Tensor, "*pairs L T"]]:
        """Return the cosines to seek each token's best frame in, and those to seek each frame's best token in."""
        if self.padded_as_zero:
            zeroed = cosine * words * real
            return zeroed, zeroed
        return cosine.masked_fill(~real, -1), cosine.masked_fill(~words, -1)  # no cosine is below -1


def _weigher(width: int, layers: int, bias: bool) -> nn.Sequential:
    hidden = [part for _ in range(layers - 1) for part in (nn.Linear(width, width), nn.ReLU())]
    weigher = nn.Sequential(*hidden, nn.Linear(width, 1, bias=bias))
    for name, parameter in weigher.named_parameters():
        nn.init.zeros_(parameter) if name.endswith("bias") else nn.init.normal_(parameter, std=STD)
    return weigher


def _weights(
    weigher: nn.Module | None, x: Float[Tensor, "B S E"], real: Bool[Tensor, "B S"]
) -> Float[Tensor, "B S"]:
    logits = x.new_zeros(x.shape[:2]) if weigher is None else weigher(x)[..., 0]
    return logits.masked_fill(~real, float("-inf")).softmax(-1)
