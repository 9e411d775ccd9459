"""Tensors under other code's names in, the same tensors under our names and the architecture they imply out.

Names tell four layouts apart: the released STAN's, and CLIP in the layouts of Hugging Face, OpenAI and open_clip.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

ACTIVATIONS = ("quick_gelu", "gelu")

_TEXT = {
    "text_model.embeddings.token_embedding": "clip.text.token_embedding",
    "text_model.embeddings.position_embedding.weight": "clip.text.positional_embedding",
    "text_model.encoder.layers": "clip.text.transformer.resblocks",
    "text_model.final_layer_norm": "clip.text.ln_final",
    "text_projection.weight": "clip.text.text_projection",
}
_VISION = {
    "class_embedding": "clip.visual.class_embedding",
    "patch_embedding.weight": "clip.visual.conv1.weight",
    "position_embedding.weight": "clip.visual.positional_embedding",
    "pre_layrnorm": "clip.visual.ln_pre",
    "post_layernorm": "clip.visual.ln_post",
    "layers": "clip.visual.transformer.resblocks",
}
_IN_EMBEDDINGS = ("class_embedding", "patch_embedding.weight", "position_embedding.weight")
_PLACE = dict.fromkeys(_IN_EMBEDDINGS, "embeddings.") | {"layers": "encoder."}

RELEASED = {f"backbone.{theirs}": ours for theirs, ours in _VISION.items()}
RELEASED |= {f"text_backbone.{theirs}": ours for theirs, ours in _TEXT.items()}
RELEASED |= {
    "backbone.visual_projection.weight": "clip.visual.proj",
    "backbone.STAN_time_embed": "temporal.time",
}
HUGGINGFACE = {f"vision_model.{_PLACE.get(theirs, '')}{theirs}": ours for theirs, ours in _VISION.items()}
HUGGINGFACE |= _TEXT | {
    "visual_projection.weight": "clip.visual.proj",
    "logit_scale": "clip.logit_scale",
}
OPENAI = {
    name: f"clip.text.{name}"
    for name in ("positional_embedding", "text_projection", "token_embedding", "transformer", "ln_final")
} | {"visual": "clip.visual", "logit_scale": "clip.logit_scale"}
OPEN_CLIP = {name: f"clip.{name}" for name in ("visual", "text", "logit_scale")}

NAMES = {
    "released": ("the released STAN", RELEASED),
    "huggingface": ("CLIP in Hugging Face's layout", HUGGINGFACE),
    "openai": ("CLIP in OpenAI's layout", OPENAI),
    "open_clip": ("CLIP in open_clip's layout", OPEN_CLIP),
}
"""Each layout's name in words, and a map from the beginnings of its tensor names to ours."""

_IN_BLOCK = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.out_proj": "attn.out_proj",
    "self_attn.in_proj_": "attn.in_proj_",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}
_IN_CROSS_FRAME = {"layer_norm1": "norm", "self_attn": "attention", "temporal_fc": "temporal_fc"}
_TRANSPOSED = ("clip.visual.proj", "clip.text.text_projection")

_NOT_WEIGHTS = r"(.*\.)?position_ids|data_preprocessor\..+|input_resolution|context_length|vocab_size"
_RELEASED_HEAD = r"adapter\.(text|video)_weight_fc\.(weight|bias)"
LEFT_OUT = {
    _NOT_WEIGHTS: "no weight, follows from the sizes",
    _RELEASED_HEAD: "the released head `drl_wti`, no part of the towers (its Mug heads hold no weights)",
}
"""Patterns of names that a file may hold and the model leaves out, each with the reason."""


class Converted(NamedTuple):
    """The layout, its tensors under our names (`clip.*`, `temporal.*`), and the names left out with the reasons."""

    layout: str
    state: dict[str, Tensor]
    left_out: dict[str, str]


def recognise(keys: Iterable[str]) -> str:
    """Return the layout with these names, one of NAMES. Raises ValueError if they belong to none."""
    keys = set(keys)
    if any(key.startswith(("backbone.", "text_backbone.")) for key in keys):
        return "released"
    if any(key.startswith(("vision_model.", "text_model.")) for key in keys):
        return "huggingface"
    if any(key.startswith("text.") for key in keys):
        return "open_clip"
    if any(key.startswith("visual.") for key in keys):
        return "openai"
    known = "; ".join(f"{words} ({next(iter(names))}...)" for words, names in NAMES.values())
    raise ValueError(f"names like {', '.join(sorted(keys)[:3])} are of no layout known here: {known}")


def convert(state: Mapping[str, Tensor]) -> Converted:
    """Return a state dict of any layout under our names.

    Raises ValueError for an unknown layout, and for keys that have no counterpart or lack a part, naming them.
    """
    layout = recognise(state)
    left_out = {
        key: reason
        for key in state
        for pattern, reason in LEFT_OUT.items()
        if re.fullmatch(pattern, key) is not None
    }
    weights = {key: value for key, value in state.items() if key not in left_out}
    fused = layout in ("openai", "open_clip")
    joined = weights if fused else _join_projections(weights)
    found = {key: _our_name(key, layout) for key in joined}
    ours = {key: name for key, name in found.items() if name is not None}
    unknown = [key for key in found if key not in ours]
    if unknown:
        raise ValueError(f"{_named(unknown)} has no counterpart: this is not {NAMES[layout][0]}")
    transposed = () if fused else _TRANSPOSED
    renamed = {ours[key]: value for key, value in joined.items()}
    return Converted(
        layout, {key: value.T if key in transposed else value for key, value in renamed.items()}, left_out
    )


def architecture(
    state: Mapping[str, Tensor], heads: tuple[int | None, int | None], activation: str
) -> dict[str, Any]:
    """Return open_clip's model config, read off the weights (names `clip.*`).

    heads: numbers of heads of the image and the text tower; None for 64 channels per head, as in CLIP. Raises
    ValueError if a tower's width does not fit its heads, for an unknown activation, and for tensors that are missing
    from a whole CLIP, naming them.
    """
    vision, text = "clip.visual.", "clip.text."
    needed = (f"{vision}conv1.weight", f"{vision}positional_embedding", f"{vision}proj")
    needed += (f"{text}token_embedding.weight", f"{text}positional_embedding", f"{text}text_projection")
    lacking = [key for key in needed if key not in state]
    if lacking:
        raise ValueError(f"lacks {_named(lacking)} (our names): no checkpoint of two whole towers")
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation {activation!r} is not known; choose {' or '.join(ACTIVATIONS)}")
    width, _, patch, _ = state[needed[0]].shape
    grid = math.isqrt(len(state[needed[1]]) - 1)
    vocabulary, text_width = state[needed[3]].shape
    for tower, channels, given in zip(("image", "text"), (width, text_width), heads, strict=True):
        if channels % (given or 64):
            what = f"not {given} heads of one width" if given else "no heads of 64 channels"
            raise ValueError(
                f"the {tower} tower is {channels} wide and holds {what}: put a config.json with"
                ' {"vision": {"heads": ...}, "text": {"heads": ...}} beside the checkpoint'
            )
    return {
        "embed_dim": state[needed[2]].shape[1],
        "quick_gelu": activation == "quick_gelu",
        "vision_cfg": {
            "image_size": grid * patch,
            "patch_size": patch,
            "width": width,
            "layers": count(state, f"{vision}transformer.resblocks."),
            "head_width": width // heads[0] if heads[0] else 64,
        },
        "text_cfg": {
            "context_length": len(state[needed[4]]),
            "vocab_size": vocabulary,
            "width": text_width,
            "layers": count(state, f"{text}transformer.resblocks."),
            "heads": heads[1] or text_width // 64,
        },
    }


def count(state: Iterable[str], prefix: str) -> int:
    """Return the number of numbered parts under `prefix`."""
    return len({key.removeprefix(prefix).split(".")[0] for key in state if key.startswith(prefix)})


def _join_projections(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Join the three projections of queries, keys and values into the single tensor of torch's attention."""
    joined = {}
    for key, value in state.items():
        if ".q_proj." in key:
            parts = [key.replace("q_proj", name) for name in ("q_proj", "k_proj", "v_proj")]
            lacking = [part for part in parts if part not in state]
            if lacking:
                raise ValueError(f"lacks {_named(lacking)} beside {key}")
            joined[key.replace("q_proj.", "in_proj_")] = torch.cat([state[part] for part in parts])
        elif ".k_proj." not in key and ".v_proj." not in key:
            joined[key] = value
    return joined


def _our_name(key: str, layout: str) -> str | None:
    branch = re.fullmatch(r"backbone\.STAN_([ST])_layers\.(\d+)\.(.+)", key)
    if branch:
        kind, number, rest = branch.groups()
        part, names = ("intra_frame.block", _IN_BLOCK) if kind == "S" else ("cross_frame", _IN_CROSS_FRAME)
        inner = _renamed(rest, names)
        return inner and f"temporal.layers.{number}.{part}.{inner}"
    ours = _renamed(key, NAMES[layout][1])
    block = re.fullmatch(r"(.*resblocks\.\d+)\.(.+)", ours or "")
    if block is None or layout in ("openai", "open_clip"):
        return ours
    inner = _renamed(block[2], _IN_BLOCK)
    return inner and f"{block[1]}.{inner}"


def _renamed(name: str, names: Mapping[str, str]) -> str | None:
    for theirs, ours in names.items():
        if name == theirs or (name.startswith(theirs) and (theirs.endswith("_") or name[len(theirs)] == ".")):
            return ours + name.removeprefix(theirs)
    return None


def _named(keys: list[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(keys[:3]) + more
