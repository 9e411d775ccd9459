"""ST-Adapter's layout: adapters and a classifier, alone as released or beside CLIP's image tower."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stan.models.layouts.names import Layout, State
from stan.models.layouts.sizes import classifier

_BLOCK = r"transformer\.resblocks\.(\d+)\."
_PLACES = {"mlp": "before_mlp", "attn": "before_attention"}
_PARTS = {"fc1": "down", "conv": "over_time", "fc2": "up"}
_OURS = re.compile(r"temporal\.(before_mlp|before_attention)\.(\d+)\.(.+)")


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    adapters = {key: match for key in state if (match := _OURS.fullmatch(key))}
    width = next((state[key] for key, match in adapters.items() if match[3] == "down.weight"), None)
    if width is None:
        raise ValueError("lacks an adapter's fc1.weight: no checkpoint of a whole ST-Adapter")
    numbers = {int(match[2]) for match in adapters.values()}
    for key, match in adapters.items():  # ours count from the first block that has adapters
        state[f"temporal.{match[1]}.{int(match[2]) - min(numbers)}.{match[3]}"] = state.pop(key)
    both = any(match[1] == "before_attention" for match in adapters.values())
    options = {
        "before": "attention and mlp" if both else "mlp",
        "width": len(width),
        "layers": max(numbers) - min(numbers) + 1 if min(numbers) else None,
        "last_mlp": True,
        "norm_after_mean": True,
    }
    return classifier(state) | {"temporal": "st_adapter", "options": options}


RELEASED = Layout(
    "the released ST-Adapter",
    (rf"{_BLOCK}adapter_pre_.+",),
    {
        rf"{_BLOCK}adapter_pre_{place}\.{part}\.(.+)": rf"temporal.{ours}.\1.{name}.\2"
        for place, ours in _PLACES.items()
        for part, name in _PARTS.items()
    }
    | {
        rf"{_BLOCK}((?:ln_1|attn|ln_2|mlp)\..+)": r"clip.visual.transformer.resblocks.\1.\2",
        r"(class_embedding|positional_embedding|conv1\..+|ln_pre\..+|ln_post\..+)": r"clip.visual.\1",
        r"fc\.(.+)": r"score.fc.\1",
    },
    design=_design,
)
