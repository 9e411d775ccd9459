"""Tensors under other code's names in, the same tensors under our names out, by one table of patterns per layout."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from stan.data.preprocessing import PixelSettings

State = dict[str, Tensor]
IMAGENET = PixelSettings((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SLOWFAST = PixelSettings((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))
"""The default of SlowFast and of what is built on it, and of PyTorchVideo."""
CENTRED = PixelSettings((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
NOT_WEIGHTS = r"(.*\.)?position_ids|data_preprocessor\..+|input_resolution|context_length|vocab_size"


def mean_pooling(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the design of a file that holds a CLIP and nothing else."""
    return {}


def needs_none(told: Mapping[str, Any]) -> bool:
    """Return True: names alone tell that a file is in the layout."""
    return True


def single_precision(state: Mapping[str, Tensor]) -> State:
    """Return the tensors in single precision, for releases that keep CLIP's matrices in half precision."""
    return {key: value.float() for key, value in state.items()}


@dataclass(frozen=True)
class Layout:
    """Where a released file keeps what. Our names begin with `clip.`, `temporal.` or `score.`, as in `DualEncoder`."""

    words: str
    """What the layout is called in messages."""
    marks: tuple[str, ...]
    """Patterns of names. A file is in this layout if each of them matches a name in it."""
    names: Mapping[str, str]
    """Patterns of the file's names, and our names for them; of several that match, the first counts."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Patterns of names that a file may hold and the model leaves out, each with the reason."""
    pixels: PixelSettings | None = None
    """How the source's frames were prepared; None for as its CLIP's."""
    prepare: Callable[[Mapping[str, Tensor]], State] = dict
    """What is done to the tensors under their own names first, such as joining parts."""
    design: Callable[[State, Mapping[str, Any]], dict[str, Any]] = mean_pooling
    """Tensors under our names, which it may change, and the settings beside the file in; the design that they imply
    out: any of temporal, options, similarity, similarity_options, frames, activation, heads (of the image tower), and
    parts of the architecture."""
    told: Callable[[Mapping[str, Any]], bool] = needs_none
    """Whether the settings beside the file let it be in this layout, where another has the same names."""

    def holds(self, keys: Iterable[str]) -> bool:
        """Tell whether a file with these names is in this layout."""
        return all(any(re.fullmatch(mark, key) for key in keys) for mark in self.marks)

    def renamed(self, state: Mapping[str, Tensor]) -> tuple[State, dict[str, str]]:
        """Return the tensors under our names, and the names left out with the reasons.

        Raises ValueError for names that have no counterpart, naming them.
        """
        patterns = {NOT_WEIGHTS: "no weight, follows from the sizes"} | dict(self.left_out)
        reasons = {key: _first(patterns, key) for key in state}
        left_out = {key: reason for key, reason in reasons.items() if reason is not None}
        weights = self.prepare({key: value for key, value in state.items() if key not in left_out})
        ours = {key: _first(self.names, key) for key in weights}
        unknown = [key for key, name in ours.items() if name is None]
        if unknown:
            raise ValueError(f"{listed(unknown)} has no counterpart: this is not {self.words}")
        return {name: weights[key] for key, name in ours.items() if name is not None}, left_out


def _first(patterns: Mapping[str, str], key: str) -> str | None:
    """Return what the first pattern that matches the whole name turns it into."""
    matches = ((re.fullmatch(pattern, key), result) for pattern, result in patterns.items())
    return next((match.expand(result) for match, result in matches if match is not None), None)


def needed(state: Mapping[str, Tensor], *names: str) -> None:
    """Raise ValueError, naming them, if any of `names` is missing."""
    lacking = [name for name in names if name not in state]
    if lacking:
        raise ValueError(f"lacks {listed(lacking)} (our names): no checkpoint of a whole model")


def count(state: Iterable[str], prefix: str) -> int:
    """Return the number of numbered parts under `prefix`."""
    return len({key.removeprefix(prefix).split(".")[0] for key in state if key.startswith(prefix)})


def listed(keys: list[str]) -> str:
    """Return the first three names, and how many more there are."""
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(keys[:3]) + more
