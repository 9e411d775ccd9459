"""A folder of reference outputs in, their tensors and settings out; what our model gives beside them as differences."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from stan.models.checkpoint import load
from stan.models.convert import load_released

CHECKPOINT, INPUTS_AND_OUTPUTS, SETTINGS = "checkpoint.safetensors", "io.safetensors", "config.json"


@dataclass(frozen=True)
class Golden:
    """What a rival's released code computed on tiny random weights, and its settings."""

    name: str
    folder: Path
    io: Mapping[str, Tensor]
    settings: Mapping[str, Any]

    def checkpoint(self) -> dict[str, Tensor]:
        """Return the released weights under their own names."""
        return load(self.folder / CHECKPOINT)[0]

    def model(self, **given: Any) -> Any:  # a DualEncoder, whose type doesn't tell the parts of its method
        """Return the model that converting the checkpoint gives; `given` as in `load_released`."""
        return load_released(self.folder / CHECKPOINT, **given)


Outputs = Mapping[str, Tensor]


class Rival(NamedTuple):
    """How one source's outputs are reproduced."""

    words: str
    """The method and its source."""
    outputs: Callable[[Golden], Outputs]
    """Our tensors by the names of the source's."""
    inputs: frozenset[str]
    """Names in `io` that are given, not computed."""
    not_reproduced: Mapping[str, str] = {}
    """Patterns of outputs that ours leaves out on purpose, each with the reason."""
    padded: frozenset[str] = frozenset()
    """Outputs whose sequence the source pads with tokens that nothing reads: only ours (B, S, ...) are compared."""


class Difference(NamedTuple):
    """One output of one set: the largest absolute difference, and the source's largest absolute value."""

    set: str
    output: str
    largest: float
    scale: float
    reason: str = ""
    """Why it isn't reproduced; then `largest` is NaN."""

    @property
    def relative(self) -> float:
        """The largest difference as a share of the largest value."""
        return self.largest / self.scale if self.scale else self.largest

    def document(self) -> dict[str, Any]:
        """Return all but the set's name as JSON values."""
        known = self._asdict() | {"relative": self.relative}
        return {name: value for name, value in known.items() if name != "set"}


def read(folder: Path) -> Golden:
    """Read a set. Raises ValueError for a folder without one, naming the file."""
    settings = folder / SETTINGS
    if not settings.is_file():
        raise ValueError(
            f"{settings} is missing: a set has {SETTINGS}, {CHECKPOINT} and {INPUTS_AND_OUTPUTS}"
        )
    return Golden(
        folder.name,
        folder,
        load(folder / INPUTS_AND_OUTPUTS)[0],
        json.loads(settings.read_text(encoding="utf-8")),
    )
