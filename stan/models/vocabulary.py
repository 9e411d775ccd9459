"""A token embedding in, the rows of the words that were ever read out; and from those the whole embedding again.

open_clip's vocabulary has 49,408 tokens, of which a world of shapes uses some hundreds. The rows of all others are what
they were before training, noise, and most of a small CLIP's file. So a file keeps the rows that were read, and the
others are drawn: the same on every machine, by every version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache

import torch
from torch import Tensor

EMBEDDING = "text.token_embedding.weight"
"""Name of the embedding in a CLIP's state, and the end of its name in a model's."""

ROWS, IDS = f"{EMBEDDING}.rows", f"{EMBEDDING}.ids"
"""What `thinned` has in its place."""

_SEED = b"words that the tiny CLIP never read"
_STEP = 2.0**-12
"""Of the drawn values, which are even from -127.5 to 127.5 steps: standard deviation 0.018, as after pretraining."""


def thinned(state: Mapping[str, Tensor], read: Iterable[int]) -> dict[str, Tensor]:
    """The state with the rows `read` (token ids) of its token embedding in place of all rows."""
    thin = dict(state)
    ids = torch.tensor(sorted(set(read)), dtype=torch.int32)
    for name in [name for name in state if name.endswith(EMBEDDING)]:
        owner = name.removesuffix(EMBEDDING)
        thin |= {owner + IDS: ids, owner + ROWS: thin.pop(name)[ids.long()]}
    return thin


def whole(state: Mapping[str, Tensor], words: int = 49408) -> dict[str, Tensor]:
    """The state with all rows of the token embedding that `thinned` has left few of; any other state as it is."""
    full = dict(state)
    for owner in [name.removesuffix(ROWS) for name in state if name.endswith(ROWS)]:
        rows, ids = full.pop(owner + ROWS), full.pop(owner + IDS).long()
        full[owner + EMBEDDING] = _noise(words, rows.shape[1]).to(rows.dtype).index_copy(0, ids, rows)
    return full


@cache
def _noise(words: int, width: int) -> Tensor:
    """(words, width): no generator of random numbers promises the same values for ever; a hash does."""
    drawn = bytearray(hashlib.shake_256(_SEED).digest(words * width))
    return ((torch.frombuffer(drawn, dtype=torch.uint8).float() - 127.5) * _STEP).reshape(words, width)
