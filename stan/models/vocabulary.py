"""A token embedding in, only its rows of words that were read out; and from these rows the whole embedding again.

open_clip's vocabulary has 49,408 tokens, but a world of shapes uses only some hundreds of them. The other rows are
still the noise from before training, and they make up most of a small CLIP's file. So a file keeps only the rows that
were read. The others are drawn again, the same on every machine and in every version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache

import torch
from torch import Tensor

VOCABULARY = 49408
"""Vocabulary size of open_clip's own tokenizer."""

EMBEDDING = "text.token_embedding.weight"
"""Name of the embedding in a CLIP's state dict, and the end of its name in a model's state dict."""

ROWS, IDS = f"{EMBEDDING}.rows", f"{EMBEDDING}.ids"
"""Names of the tensors that `thinned` puts in place of the embedding: the kept rows and their token ids."""

_SEED = b"words that the tiny CLIP never read"
_STEP = 2.0**-12
"""Step of the drawn values, which are uniform from -127.5 to 127.5 steps. Their standard deviation is 0.018, as after
pretraining."""


def thinned(state: Mapping[str, Tensor], read: Iterable[int]) -> dict[str, Tensor]:
    """Return the state with only the rows `read` (token ids) of its token embedding instead of all rows."""
    thin = dict(state)
    ids = torch.tensor(sorted(set(read)), dtype=torch.int32)
    for name in [name for name in state if name.endswith(EMBEDDING)]:
        owner = name.removesuffix(EMBEDDING)
        thin |= {owner + IDS: ids, owner + ROWS: thin.pop(name)[ids.long()]}
    return thin


def whole(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state with all rows of the token embedding that `thinned` reduced; any other state as it is."""
    full = dict(state)
    for owner in [name.removesuffix(ROWS) for name in state if name.endswith(ROWS)]:
        rows, ids = full.pop(owner + ROWS), full.pop(owner + IDS).long()
        full[owner + EMBEDDING] = _noise(rows.shape[1]).to(rows.dtype).index_copy(0, ids, rows)
    return full


@cache
def _noise(width: int) -> Tensor:
    """Return noise (VOCABULARY, width) from a hash: no random generator promises the same values for ever."""
    drawn = bytearray(hashlib.shake_256(_SEED).digest(VOCABULARY * width))
    return ((torch.frombuffer(drawn, dtype=torch.uint8).float() - 127.5) * _STEP).reshape(VOCABULARY, width)
