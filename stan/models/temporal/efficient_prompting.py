"""Efficient prompting (A6): learned vectors around the words, and a transformer over frame embeddings (posterior)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import repeat
from jaxtyping import Int
from torch import Tensor, nn

from stan.models.hugging_face_text import HuggingFaceText
from stan.models.temporal.base import Project, Temporal
from stan.models.temporal.frame_blocks import BlockForm, drawn_blocks, drawn_positions, mix, placed

if TYPE_CHECKING:
    from stan.models.clip import Clip

STD = 0.01


class EfficientPrompting(Temporal):
    """Learned text vectors from N(0, .01^2) before and after the words; frames pass blocks without a residual.

    From Ju et al. 2022 (Efficient-Prompt, `src/model.py`), where CLIP is frozen (`train.frozen="clip"`). Words that
    leave no room for the vectors are cut before the end token. The source's command has 16 vectors on each side and one
    block, its code by default none and two.

    table: False keeps one list of vectors before and one after the words, whatever their number, as in the paper. True
    takes the vectors from a table by their place in the text, as in the released code: those after the words depend on
    the number of words, and rows of the table also stand behind the end token, where nothing reads them. heads: of the
    blocks, None for the text tower's number.
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        prefix: int = 16,
        suffix: int = 16,
        layers: int = 2,
        heads: int | None = None,
        table: bool = False,
    ):
        super().__init__(clip, frames)
        if clip.text.cls_emb is not None or isinstance(clip.text, HuggingFaceText):
            kind = "Hugging Face model as" if isinstance(clip.text, HuggingFaceText) else "CoCa's"
            raise ValueError(
                f"efficient_prompting: a {kind} text tower takes no learned words; choose a CLIP"
            )
        if clip.reads_padding:
            raise ValueError(
                "efficient_prompting: learned words would push the padding out of the places at which this text tower"
                " reads it; choose a causal text tower read at its end token, such as ViT-B-32's"
            )
        if min(prefix, suffix) < 0 or prefix + suffix + 3 > clip.context_length:
            raise ValueError(
                f"prefix={prefix}, suffix={suffix}: with start token, a word and end token they must fit into"
                f" the {clip.context_length} tokens that this CLIP reads"
            )
        self.leading, self.trailing, self.length = prefix, suffix, clip.context_length
        self.by_place = table
        if table:
            self.table = nn.Parameter(STD * torch.randn(self.length, clip.text.width))
        else:
            self.prefix = nn.Parameter(STD * torch.randn(prefix, clip.text.width))
            self.suffix = nn.Parameter(STD * torch.randn(suffix, clip.text.width))
        self.blocks = drawn_blocks(clip, layers, "efficient_prompting", form=BlockForm(heads))
        self.position = drawn_positions(clip, frames, STD)

    def text_tokens(self, x: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
        vectors = self.table if self.by_place else torch.cat([self.prefix, self.suffix])
        source, new_end = self.sources(x.shape[1], end)
        both = torch.cat([x, repeat(vectors, "n d -> b n d", b=x.shape[0])], 1)
        return both.gather(1, source[..., None].expand(-1, -1, x.shape[2])), new_end

    def sources(self, given: int, end: Int[Tensor, " B"]) -> tuple[Int[Tensor, "B M"], Int[Tensor, " B"]]:
        """Return what stands at each place, as its place in [`given` tokens; vectors], and the end tokens' places."""
        before, after = self.leading, self.trailing
        length = min(given + before + after, self.length)
        new_end = (end + before + after).clamp(max=length - 1)
        place, behind = torch.arange(length, device=end.device), (new_end - after)[:, None]
        first, last = (place, place) if self.by_place else (place - 1, before + place - behind)
        # the start token and the words, unless changed below
        source = (place - before).clamp(min=0).expand(end.shape[0], -1)
        source = torch.where((place > 0) & (place <= before), given + first, source)
        source = torch.where(place >= behind, given + last, source)
        is_end = place == new_end[:, None] if self.by_place else place >= new_end[:, None]
        return torch.where(is_end, end[:, None], source), new_end

    def after(self, cls: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(cls)
        return mix(self.blocks, placed(frames, self.position), mask)
