"""Token ids in, embedded captions out: an open_clip text tower, and what stands for a missing one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from stan.models.blocks import with_fewer_passes

TextTokens = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Maps token embeddings (B, L, D) and positions of the end tokens (B,) to those that the text tower reads instead."""


class TextOutput(NamedTuple):
    """Embedded captions, not normalised. `mask` is False for the padding after the end token."""

    tokens: Float[Tensor, "B L E"]
    text: Float[Tensor, "B E"]
    mask: Bool[Tensor, "B L"]


class NoText(nn.Module):
    """Stands for the text tower of a model that was released without one."""

    context_length = width = 0
    cls_emb = None

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList()


def text_tower(text: Any) -> Any:
    """Return open_clip's text tower with a quick GELU of fewer passes, in place; for None, what stands for none."""
    if text is None:
        return NoText()
    for block in text.transformer.resblocks:
        block.mlp = with_fewer_passes(block.mlp)
    return text


def embedded(text: Any, ids: Int[Tensor, "B L"], text_tokens: TextTokens | None = None) -> TextOutput:
    """Embed token ids with the tower `text`. Padding after the end token changes nothing.

    text_tokens: changes what the tower reads (see `Temporal.text_tokens`). Raises ValueError for more tokens than the
    context length, and without a text tower.
    """
    require_text(text)
    length = ids.shape[1]
    if length > text.context_length:
        raise ValueError(f"{length} tokens per caption; this CLIP reads at most {text.context_length}")
    if text.cls_emb is not None:
        return _embedded_at_cls(text, ids)
    x, end = text.token_embedding(ids), _end(text, ids)
    if text_tokens is not None:
        x, end = text_tokens(x, end)
        length = x.shape[1]
    x = text.transformer(x + text.positional_embedding[:length], attn_mask=text.attn_mask[:length, :length])
    tokens = _projected(text, x)
    places = torch.arange(length, device=ids.device)
    return TextOutput(tokens, tokens[torch.arange(len(ids), device=ids.device), end], places <= end[:, None])


def require_text(text: nn.Module) -> None:
    """Raise ValueError if there is no text tower."""
    if isinstance(text, NoText):
        raise ValueError(
            "this model has no text tower, only videos and its own classes: convert its file together with the CLIP"
            " that it was trained on (--clip) to compare it with texts"
        )


def _end(text: Any, ids: Int[Tensor, "B L"]) -> Int[Tensor, " B"]:
    """Return the position of each caption's end token, which is the highest id unless the tower names one."""
    if text.pool_type == "eos":
        return (ids == text.eos_id).int().argmax(1)
    return ids.argmax(1)


def _embedded_at_cls(text: Any, ids: Int[Tensor, "B L"]) -> TextOutput:
    """Embed token ids with a CoCa, which reads a caption at a CLS token behind it.

    However long the caption is, the CLS token must stand at its one position. This leaves no room to change the words,
    so methods that change them refuse a CoCa.
    """
    length = ids.shape[1]
    pooled, tokens = text(F.pad(ids, (0, text.context_length - length), value=text.pad_id))
    mask = torch.arange(length, device=ids.device) <= _end(text, ids)[:, None]
    return TextOutput(_projected(text, tokens[:, :length]), pooled, mask)


def _projected(text: Any, x: Float[Tensor, "B L D"]) -> Float[Tensor, "B L E"]:
    projection, tokens = text.text_projection, text.ln_final(x)
    return projection(tokens) if isinstance(projection, nn.Linear) else tokens @ projection
