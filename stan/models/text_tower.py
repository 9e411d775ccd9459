"""Token ids in, embedded captions out: an open_clip text tower, and what stands for a missing one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from stan.data.preprocessing import last_tokens
from stan.models.blocks import with_fewer_passes
from stan.models.hugging_face_text import HuggingFaceText

TextTokens = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Maps token embeddings (B, L, D) and positions of the end tokens (B,) to those that the text tower reads instead."""


class TextOutput(NamedTuple):
    """Embedded captions, not normalised. `mask` is False for the padding after the end token."""

    tokens: Float[Tensor, "B L E"]
    text: Float[Tensor, "B E"]
    mask: Bool[Tensor, "B L"]


def blank_texts(count: int, width: int, device: torch.device) -> TextOutput:
    """Return what stands for `count` embedded captions where only their number counts."""
    empty = torch.zeros(count, 1, width, device=device)
    return TextOutput(empty, empty[:, 0], torch.ones(count, 1, dtype=torch.bool, device=device))


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
    if not isinstance(text, HuggingFaceText):
        for block in text.transformer.resblocks:
            block.mlp = with_fewer_passes(block.mlp)
    return text


def text_blocks(text: Any) -> Sequence[nn.Module]:
    """Return the tower's blocks, each of which is only run as a whole."""
    return text.blocks if isinstance(text, HuggingFaceText) else text.transformer.resblocks


def reads_padding(text: Any) -> bool:
    """Whether padding changes how a caption is embedded, so that each must have as many tokens as in training.

    So it is without a causal mask, unless another mask hides the padding, and where the last place is read. A CoCa
    pads its captions itself.
    """
    if isinstance(text, NoText | HuggingFaceText) or text.cls_emb is not None:
        return False
    return text.pool_type == "last" or (text.attn_mask is None and not text.use_pad_mask)


def embedded(text: Any, ids: Int[Tensor, "B L"], text_tokens: TextTokens | None = None) -> TextOutput:
    """Embed token ids with the tower `text`. Padding after the end token changes nothing unless it `reads_padding`.

    text_tokens: changes what the tower reads (see `Temporal.text_tokens`). Raises ValueError for what is no ids of
    this shape, for more tokens than the context length, for fewer where padding is read, and without a text tower.
    """
    require_text(text)
    if ids.ndim != 2 or ids.shape[1] == 0 or ids.dtype not in (torch.int32, torch.int64):
        raise ValueError(
            f"token ids of shape {tuple(ids.shape)}, {ids.dtype}: expected (texts, tokens) in torch.long, as"
            " `Clip.tokenize` returns them"
        )
    length = ids.shape[1]
    if length > text.context_length:
        raise ValueError(f"{length} tokens per caption; this CLIP reads at most {text.context_length}")
    if length < text.context_length and reads_padding(text):
        raise ValueError(
            f"{length} tokens per caption; this CLIP also reads the padding: hand over all {text.context_length}"
            " tokens, as `Clip.tokenize` returns them"
        )
    if isinstance(text, HuggingFaceText):  # which methods that change the words refuse
        return TextOutput(*text(ids))
    if text.cls_emb is not None:
        return _embedded_at_cls(text, ids)
    x, end = text.token_embedding(ids), end_tokens(text, ids)
    if text_tokens is not None:
        x, end = text_tokens(x, end)
        length = x.shape[1]
    hidden = _hidden(text, ids, x)
    tokens = _projected(text, text.transformer(x + text.positional_embedding[:length], attn_mask=hidden))
    places = torch.arange(length, device=ids.device)
    read = {"first": torch.zeros_like(end), "last": torch.full_like(end, length - 1)}.get(text.pool_type, end)
    return TextOutput(
        tokens, tokens[torch.arange(ids.shape[0], device=ids.device), read], places <= end[:, None]
    )


def require_text(text: nn.Module) -> None:
    """Raise ValueError if there is no text tower."""
    if isinstance(text, NoText):
        raise ValueError(
            "this model has no text tower, only videos and its own classes: convert its file together with the CLIP"
            " that it was trained on (--clip) to compare it with texts"
        )


def vocabulary_size(text: Any) -> int:
    """Return the number of tokens that the tower knows: ids lie below it."""
    known = (
        text.transformer.get_input_embeddings() if isinstance(text, HuggingFaceText) else text.token_embedding
    )
    return known.num_embeddings


def require_known(text: Any, ids: Int[Tensor, "*shape"]) -> None:
    """Raise ValueError for an id that the tower doesn't know; this waits for the device that the ids are on."""
    require_text(text)
    unknown = ids[(ids < 0) | (ids >= vocabulary_size(text))]
    if len(unknown):
        raise ValueError(
            f"token id {unknown[0].item()}: this CLIP's ids are from 0 to {vocabulary_size(text) - 1}"
        )


def end_tokens(text: Any, ids: Int[Tensor, "B L"]) -> Int[Tensor, " B"]:
    """Return the position of each caption's end token.

    It is the tower's named end token, or the highest id where the tower reads captions at it, or precedes the padding.
    """
    if text.pool_type == "eos":
        return (ids == text.eos_id).int().argmax(1)
    if text.pool_type == "argmax":
        return ids.argmax(1)
    return last_tokens(ids)


def _hidden(text: Any, ids: Int[Tensor, "B L"], x: Float[Tensor, "B M D"]) -> Float[Tensor, "*B M M"] | None:
    """Return what is added to the logits of attention, -inf for what a token must not see; None: it sees all."""
    if text.use_pad_mask:  # only without a causal mask
        return text._build_additive_mask(ids, x.shape[1], x.dtype)
    return None if text.attn_mask is None else text.attn_mask[: x.shape[1], : x.shape[1]]


def _embedded_at_cls(text: Any, ids: Int[Tensor, "B L"]) -> TextOutput:
    """Embed token ids with a CoCa, which reads a caption at a CLS token behind it.

    However long the caption is, the CLS token must stand at its one position. This leaves no room to change the words,
    so methods that change them refuse a CoCa.
    """
    length = ids.shape[1]
    pooled, tokens = text(F.pad(ids, (0, text.context_length - length), value=text.pad_id))
    mask = torch.arange(length, device=ids.device) <= end_tokens(text, ids)[:, None]
    return TextOutput(_projected(text, tokens[:, :length]), pooled, mask)


def _projected(text: Any, x: Float[Tensor, "B L D"]) -> Float[Tensor, "B L E"]:
    projection, tokens = text.text_projection, text.ln_final(x)
    if projection is None:
        return tokens
    return projection(tokens) if isinstance(projection, nn.Linear) else tokens @ projection
