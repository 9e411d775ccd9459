"""Video transformers of scenic (JAX), with flax's tree joined by `/`: TokenLearner and ViViT's factorised encoder.

A CLIP's image tower stands for their ViT, as in `stan.models.layouts.vit`, with the tanh approximation of GELU.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from stan.models.layouts.names import CENTRED, Layout, State, count, needed
from stan.models.layouts.sizes import classifier, tubelet
from stan.models.layouts.told import flags
from stan.models.layouts.vit import as_clip

_ATTENTION = "MultiHeadDotProductAttention_0"
_VISUAL = "clip.visual.transformer.resblocks."


def _as_torch(state: Mapping[str, Tensor]) -> State:
    """Turn flax's kernels, (in, out), into torch's weights, and join queries, keys and values.

    These keep their heads apart, (3 heads channels in), until a design has counted them. Raises ValueError if one of
    the three is missing.
    """
    ours = {}
    for name, value in state.items():
        if f"{_ATTENTION}/query/" in name:
            parts = [name.replace("/query/", f"/{part}/") for part in ("query", "key", "value")]
            needed(state, *parts)
            joined = torch.stack([state[part] for part in parts])
            ours[parts[0]] = joined.permute(0, 2, 3, 1) if joined.ndim == 4 else joined
        elif f"{_ATTENTION}/out/kernel" in name:
            ours[name] = rearrange(value, "h c d -> d (h c)")
        elif name == "embedding/kernel":
            ours[name] = rearrange(value, "z h w c d -> d (z c) h w")
        elif f"{_ATTENTION}/key/" not in name and f"{_ATTENTION}/value/" not in name:
            ours[name] = value.T if name.endswith("/kernel") else value
    return ours


def _count_heads(state: State, prefix: str, attention: str) -> int:
    """Flatten the projections of the blocks under `prefix`, in place, and return the number of heads."""
    first = f"{prefix}0.{attention}.in_proj_bias"
    needed(state, first)
    heads = state[first].shape[1]
    for name in [key for key in state if key.startswith(prefix) and ".in_proj_" in key]:
        state[name] = state[name].flatten(0, 2)
    return heads


def _block_names(theirs: str, ours: str, parts: Mapping[str, str]) -> dict[str, str]:
    """Return the names of blocks. parts: our names of attention, norms and MLP, by those of the source."""
    block = rf"{theirs}/encoderblock_(?P<n>\d+)/"
    return {rf"{block}{part}": rf"{ours}\g<n>.{name}" for part, name in parts.items()}


def _parts(attention: str, norms: tuple[str, str], mlp: tuple[str, str]) -> dict[str, str]:
    named = {f"{_ATTENTION}/out": f"{attention}.out_proj"}
    named |= {f"MlpBlock_0/Dense_{k}": name for k, name in enumerate(mlp)}
    return (
        {f"{_ATTENTION}/query/{kind}": f"{attention}.in_proj_{name}" for kind, name in _KINDS.items()}
        | {
            f"{part}/{kind}": f"{ours}.{name}"
            for part, ours in named.items()
            for kind, name in _KINDS.items()
        }
        | {
            f"LayerNorm_{k}/{kind}": f"{ours}.{name}"
            for k, ours in enumerate(norms)
            for kind, name in _NORM_KINDS.items()
        }
    )


_KINDS = {"kernel": "weight", "bias": "bias"}
_NORM_KINDS = {"scale": "weight", "bias": "bias"}
_OF_CLIP = _parts("attn", ("ln_1", "ln_2"), ("mlp.c_fc", "mlp.c_proj"))
_OF_TORCH = _parts("self_attn", ("norm1", "norm2"), ("linear1", "linear2"))


def _leaf(theirs: str, ours: str, kinds: Mapping[str, str] = _KINDS) -> dict[str, str]:
    return {f"{theirs}/{kind}": f"{ours}.{name}" for kind, name in kinds.items()}


_SHARED = _leaf("embedding", "clip.visual.conv1") | _leaf("output_projection", "score.fc")


def _design(state: State) -> dict[str, Any]:
    """Return what both designs have in common; the image tower's first tensors become a CLIP's, in place."""
    heads = _count_heads(state, _VISUAL, "attn")
    return classifier(state) | {
        "architecture": as_clip(state, act_kwargs={"approximate": "tanh"}),
        "activation": "gelu",
        "heads": heads,
    }


def _token_learner(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    needed(state, "temporal.position", "temporal.maps.1.bias", "temporal.maps.3.bias")
    if "frames" not in told:
        raise ValueError(
            'lacks the number of frames: put a config.json with {"frames": ...} beside the checkpoint'
        )
    frames, width = told["frames"], state["temporal.position"].shape[-1]
    position = state["temporal.position"].reshape(frames // tubelet(state), -1, width)
    state["temporal.position"] = position
    state["clip.visual.class_embedding"] = torch.zeros(width)
    state["clip.visual.positional_embedding"] = torch.zeros(1, 1 + position.shape[1], width)
    options = {
        "released": True,
        "tokens": len(state["temporal.maps.3.bias"]),
        "bottleneck": len(state["temporal.maps.1.bias"]),
        "block": flags(told).get("tokenlearner_loc"),
    }
    return _design(state) | {"temporal": "token_learner", "options": options, "frames": frames}


def _vivit(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    hidden = "temporal.blocks.0.linear1.bias"
    needed(state, "temporal.position", "temporal.cls", hidden)
    state["temporal.position"] = state["temporal.position"].flatten(0, 1)
    state["temporal.cls"] = state["temporal.cls"].flatten()
    options = {
        "released": True,
        "layers": count(state, "temporal.blocks."),
        "heads": _count_heads(state, "temporal.blocks.", "self_attn"),
        "hidden": len(state[hidden]),
    }
    frames = tubelet(state) * (len(state["temporal.position"]) - 1)
    return _design(state) | {"temporal": "factorised_encoder", "options": options, "frames": frames}


_MAPS = "Transformer/TokenLearnerModuleV11_0/"

TOKEN_LEARNER = Layout(
    "scenic's TokenLearner",
    (rf"{_MAPS}.+", "embedding/kernel"),
    _SHARED
    | {"Transformer/posembed_input/pos_embedding": "temporal.position"}
    | _leaf("Transformer/encoder_norm", "clip.visual.ln_post", _NORM_KINDS)
    | _leaf(f"{_MAPS}LayerNorm_0", "temporal.maps.0", _NORM_KINDS)
    | _leaf(f"{_MAPS}token_masking/Dense_0", "temporal.maps.1")
    | _leaf(f"{_MAPS}token_masking/Dense_1", "temporal.maps.3")
    | _block_names("Transformer", _VISUAL, _OF_CLIP),
    prepare=_as_torch,
    design=_token_learner,
    pixels=CENTRED,
)
VIVIT = Layout(
    "scenic's ViViT, factorised encoder",
    (r"SpatialTransformer/.+", r"TemporalTransformer/.+", "embedding/kernel"),
    _SHARED
    | {
        "cls_SpatialTransformer": "clip.visual.class_embedding",
        "cls_TemporalTransformer": "temporal.cls",
        "SpatialTransformer/posembed_input/pos_embedding": "clip.visual.positional_embedding",
        "TemporalTransformer/posembed_input/pos_embedding": "temporal.position",
    }
    | _leaf("SpatialTransformer/encoder_norm", "clip.visual.ln_post", _NORM_KINDS)
    | _leaf("TemporalTransformer/encoder_norm", "temporal.norm", _NORM_KINDS)
    | _block_names("SpatialTransformer", _VISUAL, _OF_CLIP)
    | _block_names("TemporalTransformer", "temporal.blocks.", _OF_TORCH),
    prepare=_as_torch,
    design=_vivit,
    pixels=CENTRED,
)
