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

    @property
    def pixels(self) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
        """(size, mean, std): the first arguments of every transform in `stan.data.video.transforms`."""
        return self.size, self.mean, self.std


def token_ids(
    tokenize: Callable[[list[str], int], Int[Tensor, "N L"]], texts: list[str], words: int
) -> Int[Tensor, "N L"]:
    """Return the token ids of all texts, cut to the length of the longest: the padding beyond it changes nothing."""
    if not texts:
        return torch.empty(0, 0, dtype=torch.long)
    distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    ids = tokenize(list(distinct), words)[[distinct[text] for text in texts]]
    return ids[:, : int(ids.argmax(1).max()) + 1]  # the end token has the highest id
