"""Embedded texts and videos in, their cosines out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stan.models.similarity.base import Similarity

if TYPE_CHECKING:
    from stan.models.text_tower import TextOutput
    from stan.models.video_encoder import VideoOutput


class Cosine(Similarity):
    """The cosine of one embedding per text and one per video (the mean over frames); no scale, no parameters."""

    def forward(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        return F.normalize(text.text, dim=-1) @ F.normalize(video.video, dim=-1).T
