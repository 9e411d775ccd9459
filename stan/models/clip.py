"""Both towers of an open_clip model in; a CLIP with accessible blocks, token levels and attention weights out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from stan.common.json_values import require
from stan.data.preprocessing import PixelSettings, Preprocessing
from stan.models.attention import attention_weights
from stan.models.blocks import Block
from stan.models.text_tower import (
    TextOutput,
    TextTokens,
    embedded,
    reads_padding,
    require_text,
    text_tower,
    vocabulary_size,
)
from stan.models.towers import ImageTower, image_tower

if TYPE_CHECKING:
    from open_clip.coca_model import CoCa
    from open_clip.model import CustomTextCLIP


class Clip(nn.Module):
    """Both towers of an open_clip model (`visual.*`, `text.*`), as far as possible under open_clip's names.

    model: its text tower is None for a model released without one; then only videos can be embedded. Raises ValueError
    for an image tower without blocks over patches.
    """

    def __init__(self, model: CustomTextCLIP | CoCa, pixels: PixelSettings, tokenizer: Any):
        super().__init__()
        self.visual: ImageTower = image_tower(model.visual)
        self.text: Any = text_tower(model.text)
        self.logit_scale = model.logit_scale
        self.logit_bias: nn.Parameter | None = model.logit_bias
        """Of a model whose pairs were trained one by one (sigmoid): added to a cosine's logit. None for others."""
        self.grid, self.prefix = self.visual.grid, self.visual.prefix
        self.image_size, self.embed_dim = self.visual.image_size, self.visual.embed_dim
        self.pixels, self.tokenizer = replace(pixels, size=self.image_size), tokenizer
        self.width, self.heads = self.visual.width, self.visual.heads
        self.context_length: int = self.text.context_length
        self.padding_counts = False
        """Whether the similarity that this CLIP is used with reads what follows a caption's end."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How this CLIP reads frames and captions."""
        return Preprocessing(self.pixels, self.tokenize, self.reads_padding)

    @property
    def reads_padding(self) -> bool:
        """Whether captions must be padded to the context length: where the similarity or the text tower reads what
        follows their end (see `stan.models.text_tower.reads_padding`)."""
        return self.padding_counts or reads_padding(self.text)

    @property
    def unlike_openai(self) -> list[Any]:
        """What must stand beside the weights in a key of what this CLIP sees: nothing for OpenAI's.

        These are `PixelSettings.unlike_openai`, and the size of frames where the weights don't show it.
        """
        size = [self.image_size] if self.visual.patch_positions is None else []
        return self.pixels.unlike_openai + size

    @property
    def blocks(self) -> Sequence[Block]:
        """The image tower's blocks; where `has_parts` is False, they can only be run as a whole."""
        return cast("Sequence[Block]", self.visual.blocks)

    @property
    def has_parts(self) -> bool:
        """Whether blocks are the sum of attention and an MLP, which methods may use apart."""
        return isinstance(self.blocks[0], Block)

    @property
    def layers(self) -> int:
        return len(self.blocks)

    @property
    def patches(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def tokens_per_frame(self) -> int:
        """S: the tower's own tokens and the patches."""
        return self.prefix + self.patches

    def tokenize(self, texts: str | Sequence[str], words: int | None = None) -> Int[Tensor, "B L"]:
        """Return token ids of length `words` (None: the context length). A text that is too long is cut before its end
        token. Where padding is read, `words` only cuts, and all have the context length.

        Raises ValueError for what is no text, and without a text tower or a tokenizer that belongs to it.
        """
        require_text(self.text)
        require("texts", texts, "str | Sequence[str]")
        if self.tokenizer is None:
            raise ValueError(
                "this CLIP has a vocabulary of its own and no tokenizer: hand over token ids instead"
            )
        if words is not None and not 2 <= words <= self.context_length:
            raise ValueError(f"words={words}: this CLIP reads 2 to {self.context_length} tokens")
        texts = [texts] if isinstance(texts, str) else list(texts)
        ids = self.tokenizer(texts, words or self.context_length)
        missing = self.context_length - ids.shape[1] if self.reads_padding else 0
        return self._known(F.pad(ids, (0, missing), value=getattr(self.tokenizer, "pad_id", 0)))

    def _known(self, ids: Int[Tensor, "B L"]) -> Int[Tensor, "B L"]:
        """Return a tokenizer's ids. Raises ValueError for one that the text tower doesn't know."""
        known = vocabulary_size(self.text)
        if (unknown := ids[ids >= known]).numel():
            source = getattr(self.tokenizer, "source", "of open_clip")
            raise ValueError(
                f"the tokenizer {source} gives the token {unknown[0].item()}, and this CLIP's are from 0 to"
                f" {known - 1}: put the one that it was trained with beside its weights"
            )
        return ids

    def embed(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N S D"]:
        """Return the input of the first block: the tokens after a LayerNorm that precedes the blocks."""
        return self.visual.start(self.visual.tokens(images))

    def encode_image(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N E"]:
        """Return open_clip's own image embedding, not normalised."""
        return self.visual(images)

    def encode_text(self, ids: Int[Tensor, "B L"], text_tokens: TextTokens | None = None) -> TextOutput:
        """Embed token ids; see `stan.models.text_tower.embedded`, also for errors."""
        return embedded(self.text, ids, text_tokens)

    def attention(self, i: int, x: Float[Tensor, "N S D"]) -> Float[Tensor, "N heads S S"]:
        """Return the attention weights of block `i` on its own input `x`; rows (queries) sum to one."""
        block = self.blocks[i]
        return attention_weights(block.attn, block.ln_1(x))
