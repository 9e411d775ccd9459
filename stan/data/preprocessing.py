"""Describes how one CLIP reads frames and captions, as far as the loader of its batches must know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True)
class Preprocessing:
    """Size and normalisation of the frames, and the tokenizer of the captions."""

    size: int
    """Height and width of a prepared frame, in pixels."""
    mean: tuple[float, ...]
    """Mean of each colour channel, for pixel values from 0 to 1."""
    std: tuple[float, ...]
    tokenize: Callable[[list[str], int], Int[Tensor, "N L"]]
    """Turns captions and a number of tokens (L) into token ids."""
    reads_padding: bool = False
    """Whether the padding of captions counts, so that it must be kept."""

    @property
    def pixels(self) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
        """(size, mean, std): the first arguments of every transform in `stan.data.video.transforms`."""
        return self.size, self.mean, self.std


def token_ids(
    tokenize: Callable[[list[str], int], Int[Tensor, "N L"]],
    texts: list[str],
    words: int,
    reads_padding: bool = False,
) -> Int[Tensor, "N L"]:
    """Return the token ids of all texts, cut to the length of the longest unless the tower reads the padding beyond."""
    if not texts:
        return torch.empty(0, 0, dtype=torch.long)
    distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    ids = tokenize(list(distinct), words)[[distinct[text] for text in texts]]
    return ids if reads_padding else ids[:, : int(last_tokens(ids).max()) + 1]


def last_tokens(ids: Int[Tensor, "N L"]) -> Int[Tensor, " N"]:
    """Return the position of each text's last token before its padding, which is 0 or the end token repeated."""
    last = ids[:, -1]
    alike = (ids == last[:, None]).int().flip(1).cumprod(1).sum(1)
    return (ids.shape[1] - alike - (last == 0).int()).clamp(min=0)
