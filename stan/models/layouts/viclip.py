"""ViCLIP's layout, and VideoCLIP-XL's: a CLIP whose image tower reads all frames' patches as one sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stan.data.preprocessing import PixelSettings
from stan.models.layouts.clip import TEXT, join_positions
from stan.models.layouts.names import IMAGENET, Layout, State, needed
from stan.models.layouts.sizes import first_times

_PATCHES = "clip.visual.conv1.weight"


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    needed(state, _PATCHES, "clip.logit_scale")
    if state[_PATCHES].ndim == 5 and state[_PATCHES].shape[2] > 1:
        raise ValueError(
            f"its patches are {state[_PATCHES].shape[2]} frames long: only frames embedded one by one are known here"
        )
    state[_PATCHES] = state[_PATCHES].flatten(1, -3)
    state["clip.logit_scale"] = -state["clip.logit_scale"].log()  # it keeps what cosines are divided by
    return {
        "frames": first_times(state, told),
        "temporal": "joint_space_time",
        "options": {"one_cls": True, "time_before_norm": True},
    }


_PIXELS = PixelSettings(IMAGENET.mean, IMAGENET.std, resize_mode="squash")

VICLIP = Layout(
    "ViCLIP",
    (r"vision_encoder\.temporal_positional_embedding", r"text_encoder\..+"),
    {
        r"vision_encoder\.temporal_positional_embedding": "temporal.time.weight",
        r"vision_encoder\.(.+)": r"clip.visual.\1",
        rf"text_encoder\.({TEXT})": r"clip.text.\1",
        "temp": "clip.logit_scale",
    },
    design=_design,
    pixels=_PIXELS,
)
VIDEO_CLIP_XL = Layout(
    "VideoCLIP-XL",
    (r"vision_model\.vision_encoder\.temporal_positional_embedding", r"text_model\..+"),
    {
        r"vision_model\.vision_encoder\.temporal_positional_embedding": "temporal.time.weight",
        r"vision_model\.vision_encoder\.(.+)": r"clip.visual.\1",
        rf"text_model\.({TEXT})": r"clip.text.\1",
        r"vision_model\.temp": "clip.logit_scale",
    },
    left_out={r"text_model\.logit_scale": "Long-CLIP's; the image tower brings its own temperature"},
    prepare=join_positions,
    design=_design,
    pixels=_PIXELS,
)
"""ViCLIP with the texts of Long-CLIP."""
