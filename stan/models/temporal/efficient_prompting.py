"""Efficient prompting (A6): learned vectors around the words, and a transformer over frame embeddings (posterior)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import repeat
from torch import Tensor, nn

from stan.models.temporal.base import Project, Temporal
from stan.models.temporal.frame_blocks import drawn_blocks, drawn_positions, mix, placed

if TYPE_CHECKING:
    from stan.models.clip import Clip

STD = 0.01


class EfficientPrompting(Temporal):
    """Learned text vectors from N(0, .01^2) before and after the words; frames pass blocks without a residual.

    From Ju et al. 2022 (Efficient-Prompt, `src/model.py`), where CLIP is frozen (`train.frozen="clip"`). Words that
    leave no room for the vectors are cut before the end token. The released code takes the vectors from a table by
    their position in the text. Here, as in the paper, the vectors after the words do not depend on the number of words.
    """

    def __init__(self, clip: Clip, frames: int, *, prefix: int = 16, suffix: int = 16, layers: int = 2):
        super().__init__(clip, frames)
        if clip.text.cls_emb is not None:
            raise ValueError("efficient_prompting: a CoCa's text tower takes no learned words; choose a CLIP")
        if min(prefix, suffix) < 0 or prefix + suffix + 3 > clip.context_length:
            raise ValueError(
                f"prefix={prefix}, suffix={suffix}: with start token, a word and end token they must fit into"
                f" the {clip.context_length} tokens that this CLIP reads"
            )
        self.prefix = nn.Parameter(STD * torch.randn(prefix, clip.text.width))
        self.suffix = nn.Parameter(STD * torch.randn(suffix, clip.text.width))
        self.length = clip.context_length
        self.blocks = drawn_blocks(clip, layers, "efficient_prompting")
        self.position = drawn_positions(clip, frames, STD)

    def text_tokens(self, x: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
        texts, given, _ = x.shape
        before, after = len(self.prefix), len(self.suffix)
        length = min(given + before + after, self.length)
        new_end = (end + before + after).clamp(max=length - 1)
        place, behind = torch.arange(length, device=x.device), (new_end - after)[:, None]
        vectors = repeat(torch.cat([self.prefix, self.suffix]), "n d -> b n d", b=texts)
        # each position's source in [x; vectors]: the start token and the words, unless changed below
        source = (place - before).clamp(min=0).expand(texts, -1)
        source = torch.where((place > 0) & (place <= before), given + place - 1, source)
        source = torch.where(place >= behind, given + before + place - behind, source)
        source = torch.where(place >= new_end[:, None], end[:, None], source)
        return torch.cat([x, vectors], 1).take_along_dim(source[..., None], 1), new_end

    def after(self, x: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(x[:, :, 0])
        return mix(self.blocks, placed(frames, self.position), mask)
