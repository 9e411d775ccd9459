"""CLIP's own layouts: Hugging Face's, OpenAI's and open_clip's; and the architecture that a CLIP's tensors imply."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from stan.common.json_values import require
from stan.models.layouts.names import Layout, State, count, listed

_PROJECTION = re.compile(r"(.*)[qkv]_proj\.(.+)")
_STRETCHED = "_res"
"""What Long-CLIP appends to the name of its second table of text positions."""
AS_IN_CLIP = 20
"""First text positions of Long-CLIP, which are read from the first table; all others are from the second."""
ACTIVATIONS = ("quick_gelu", "gelu")
TEXT = r"positional_embedding|text_projection|token_embedding\..+|transformer\..+|ln_final\..+"
"""Pattern of the text tower's names in OpenAI's layout, which keeps them beside `visual`."""


def openai_names(prefix: str = "") -> dict[str, str]:
    """Return the names of a CLIP in OpenAI's layout behind `prefix`, a pattern without groups."""
    return {
        rf"{prefix}(visual\..+|logit_scale)": r"clip.\1",
        rf"{prefix}({TEXT})": r"clip.text.\1",
    }


def huggingface_block(theirs: str, ours: str) -> dict[str, str]:
    r"""Return the names of the parts of Hugging Face's block.

    theirs: a pattern with the number as group `n`; ours: its counterpart, with `\g<n>`.
    """
    parts = {
        r"layer_norm(?P<k>[12])": r"ln_\g<k>",
        r"self_attn\.out_proj": "attn.out_proj",
        r"self_attn\.in_proj": "attn.in_proj",
        r"mlp\.fc1": "mlp.c_fc",
        r"mlp\.fc2": "mlp.c_proj",
    }
    return {
        rf"{theirs}\.{part}(?P<rest>[._](weight|bias))": rf"{ours}.{name}\g<rest>"
        for part, name in parts.items()
    }


def huggingface_names(vision: str, text: str, embeddings: str, encoder: str) -> dict[str, str]:
    """Return the names of both towers of Hugging Face's CLIP, without the image tower's projection.

    vision, text: patterns of the towers' beginnings. embeddings, encoder: what stands before the names of the image
    tower's embeddings and layers.
    """
    towers = {
        rf"{vision}{embeddings}class_embedding": "clip.visual.class_embedding",
        rf"{vision}{embeddings}patch_embedding\.weight": "clip.visual.conv1.weight",
        rf"{vision}{embeddings}position_embedding\.weight": "clip.visual.positional_embedding",
        rf"{vision}pre_layrnorm\.(.+)": r"clip.visual.ln_pre.\1",
        rf"{vision}post_layernorm\.(.+)": r"clip.visual.ln_post.\1",
        rf"{text}text_model\.embeddings\.token_embedding\.(.+)": r"clip.text.token_embedding.\1",
        rf"{text}text_model\.embeddings\.position_embedding\.weight": "clip.text.positional_embedding",
        rf"{text}text_model\.final_layer_norm\.(.+)": r"clip.text.ln_final.\1",
        rf"{text}text_projection\.weight": "clip.text.text_projection",
    }
    blocks = {
        rf"{vision}{encoder}layers": "clip.visual.transformer.resblocks",
        rf"{text}text_model\.encoder\.layers": "clip.text.transformer.resblocks",
    }
    for theirs, ours in blocks.items():
        towers |= huggingface_block(rf"{theirs}\.(?P<n>\d+)", rf"{ours}.\g<n>")
    return towers


def join_projections(state: Mapping[str, Tensor]) -> State:
    """Join the three projections of queries, keys and values into the single tensor of torch's attention.

    Raises ValueError if one of the three is missing.
    """
    joined = dict(state)
    found = (_PROJECTION.fullmatch(key) for key in state)
    for attention, kind in dict.fromkeys(match.groups() for match in found if match):
        parts = [f"{attention}{name}_proj.{kind}" for name in "qkv"]
        lacking = [part for part in parts if part not in state]
        if lacking:
            beside = next(part for part in parts if part in state)
            raise ValueError(f"lacks {listed(lacking)} beside {beside}")
        joined[f"{attention}in_proj_{kind}"] = torch.cat([joined.pop(part) for part in parts])
    return joined


def join_self_attention(state: Mapping[str, Tensor]) -> State:
    """Join the projections of all attention but cross-attention's, whose three stay apart.

    Raises ValueError if one of three that are joined is missing.
    """
    apart = {key: value for key, value in state.items() if ".cross_attn." in key}
    return join_projections({key: value for key, value in state.items() if key not in apart}) | apart


def join_positions(state: Mapping[str, Tensor]) -> State:
    """Join Long-CLIP's two tables of text positions into the one that is read (arXiv 2403.15378).

    Raises ValueError if one of the two is missing or they differ in shape.
    """
    joined = dict(state)
    for name in [key for key in state if key.endswith(f"positional_embedding{_STRETCHED}")]:
        first, stretched = name.removesuffix(_STRETCHED), joined.pop(name)
        if first not in joined or joined[first].shape != stretched.shape:
            raise ValueError(f"lacks {first} of the shape of {name}, {tuple(stretched.shape)}")
        joined[first] = torch.cat([joined[first][:AS_IN_CLIP], stretched[AS_IN_CLIP:]])
    return joined


def transpose_projections(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    """Turn both towers' projections from linear layers into the matrices of OpenAI's CLIP, in place."""
    for name in ("clip.visual.proj", "clip.text.text_projection"):
        if name in state:
            state[name] = state[name].T
    return {}


OPENAI = Layout("CLIP in OpenAI's layout", (r"visual\..+",), openai_names())
LONG = Layout(
    "Long-CLIP",
    (r"visual\..+", f"positional_embedding{_STRETCHED}"),
    openai_names(),
    prepare=join_positions,
)
OPEN_CLIP = Layout(
    "CLIP in open_clip's layout", (r"text\..+",), {r"((visual|text)\..+|logit_scale)": r"clip.\1"}
)
HUGGINGFACE = Layout(
    "CLIP in Hugging Face's layout",
    (r"(vision|text)_model\..+",),
    huggingface_names(r"vision_model\.", "", r"embeddings\.", r"encoder\.")
    | {r"visual_projection\.weight": "clip.visual.proj", "logit_scale": "clip.logit_scale"},
    prepare=join_projections,
    design=transpose_projections,
)


def architecture(
    state: Mapping[str, Tensor], heads: tuple[int | None, int | None], activation: str
) -> dict[str, Any]:
    """Return open_clip's model config, read off the weights (names `clip.*`); without a text tower, `text_cfg` is None.

    heads: numbers of heads of the image and the text tower; None for 64 channels per head, as in CLIP. Raises
    ValueError if a tower's width does not fit its heads, for an unknown activation, and for tensors that are missing
    from a tower, naming them.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation {activation!r} is not known; choose {' or '.join(ACTIVATIONS)}")
    vision = "clip.visual."
    dimensions = {"conv1.weight": 4, "positional_embedding": 2, "proj": 2}
    conv, positions, proj = _needed(state, "image", vision, dimensions)
    width, channels, patch, _ = conv.shape
    return {
        "embed_dim": proj.shape[1],
        "quick_gelu": activation == "quick_gelu",
        "vision_cfg": {
            "image_size": math.isqrt(len(positions) - 1) * patch,
            "patch_size": patch,
            "width": width,
            "layers": count(state, f"{vision}transformer.resblocks."),
            "head_width": width // _heads("image", width, heads[0]),
        }
        | ({"tubelet": channels // 3} if channels > 3 else {}),
        "text_cfg": _text_architecture(state, heads[1]),
    }


def _text_architecture(state: Mapping[str, Tensor], heads: int | None) -> dict[str, Any] | None:
    text = "clip.text."
    if not any(name.startswith(text) for name in state):
        return None
    dimensions = {"token_embedding.weight": 2, "positional_embedding": 2, "text_projection": 2}
    tokens, positions, _ = _needed(state, "text", text, dimensions)
    vocabulary, width = tokens.shape
    return {
        "context_length": len(positions),
        "vocab_size": vocabulary,
        "width": width,
        "layers": count(state, f"{text}transformer.resblocks."),
        "heads": _heads("text", width, heads),
    }


def _needed(
    state: Mapping[str, Tensor], tower: str, prefix: str, dimensions: Mapping[str, int]
) -> list[Tensor]:
    """Return the tensors behind `prefix` from which sizes are read, each with its number of dimensions."""
    expected = {f"{prefix}{name}": count for name, count in dimensions.items()}
    lacking = [name for name in expected if name not in state]
    if lacking:
        raise ValueError(f"lacks {listed(lacking)} (our names): no checkpoint of a whole {tower} tower")
    odd = [name for name, count in expected.items() if state[name].ndim != count or not state[name].numel()]
    if odd:
        raise ValueError(f"has another shape of {listed(odd)} (our names): no {tower} tower has it")
    return [state[name] for name in expected]


def _heads(tower: str, width: int, given: int | None) -> int:
    require(f"number of heads of the {tower} tower", given, "int | None")
    if width % (given or 64):
        what = f"not {given} heads of one width" if given else "no heads of 64 channels"
        raise ValueError(
            f"the {tower} tower is {width} wide and holds {what}: put a config.json with"
            ' {"vision": {"heads": ...}, "text": {"heads": ...}} beside the checkpoint'
        )
    return given or width // 64
