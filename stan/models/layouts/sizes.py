"""Tensors under our names in, what their sizes say of the model out: classes, tubelets, times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from stan.models.layouts.names import State, needed


def classifier(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the part of a design that a linear classifier (`score.fc`) implies."""
    needed(state, "score.fc.weight", "score.fc.bias")
    return {
        "similarity": "linear_classifier",
        "similarity_options": {"classes": len(state["score.fc.bias"])},
    }


def tubelet(state: Mapping[str, Tensor]) -> int:
    """Return the number of frames that the patches' embedding reads at once."""
    needed(state, "clip.visual.conv1.weight")
    return state["clip.visual.conv1.weight"].shape[1] // 3


def first_times(state: State, told: Mapping[str, Any]) -> int:
    """Cut the table of times to the model's number of frames, in place, and return that number.

    Raises ValueError for more frames than the table has.
    """
    needed(state, "temporal.time.weight")
    times, together = state["temporal.time.weight"].flatten(0, -2), tubelet(state)
    frames = told.get("frames", together * len(times))
    if frames > together * len(times):
        raise ValueError(
            f"{frames} frames in config.json, but the table of times is for {together * len(times)}"
        )
    state["temporal.time.weight"] = times[: frames // together]
    return frames
