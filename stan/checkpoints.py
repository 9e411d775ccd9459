"""Weight files in, tensors or a released STAN model out; tensors in, a file that is never half written."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from stan.models.clip import from_config
from stan.models.dual_encoder import DualEncoder
from stan.temporal import build as build_temporal

RELEASED_LOGIT_SCALE = math.log(100)  # the released recipe divides cosines by a fixed 0.01
RELEASED_HEADS = {"mug_full": {"released": True}}
"""Options with which a similarity scores as the released code does."""


def save(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any] | None = None) -> None:
    """Writes a safetensors file atomically: `path` is as before or complete. `metadata`: plain JSON values."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    try:
        save_file(plain, partial, {"stan": json.dumps(dict(metadata or {}))})
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata that `save` wrote; other safetensors files have no metadata.

    Raises ValueError for a file that is missing or isn't safetensors.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = json.loads((file.metadata() or {}).get("stan", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, metadata  # noqa: SIM118
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is not a readable checkpoint ({error}): check the path and that it is complete"
        ) from error


def load_released(path: str | Path, frames: int = 12, similarity: str = "cosine") -> DualEncoder:
    """A model, ready for inference, from the released STAN's layout (`backbone.*`, `text_backbone.*`).

    path: `.safetensors`, or `.pth` of plain tensors: nothing in a file is ever executed. Sizes are read off
        the weights; heads, which weights don't tell, and the number of frames from a `config.json` beside the
        file, else 64 channels per head as in CLIP, and `frames`.
    similarity: how texts and videos are scored; Mug's heads (`mug_simple`, `mug_full`) have no weights, so that no
        checkpoint tells whether it was trained with one.

    Raises ValueError naming what is missing, of another kind or unreadable.
    """
    return assemble_released(*_released(Path(path), frames, similarity), path)


def convert(source: str | Path, target: str | Path, frames: int = 12, similarity: str = "cosine") -> None:
    """Writes a released checkpoint as one that `stan.load_model` reads. Errors as in `load_released`."""
    design, state = _released(Path(source), frames, similarity)
    assemble_released(design, state, source)  # refuses what doesn't fit before anything is written
    save(target, state, {"released": design})


def assemble_released(
    design: Mapping[str, Any], state: Mapping[str, Tensor], source: str | Path
) -> DualEncoder:
    """The model from its sizes and its tensors under our names; `source` is named in errors."""
    clip = from_config(design["architecture"])
    temporal = build_temporal("stan", clip, design["frames"], design["options"])
    similarity = design.get("similarity", "cosine")
    model = DualEncoder(clip, temporal, similarity, RELEASED_HEADS.get(similarity))
    fill(model, state, source)
    return model.eval()


def _released(path: Path, frames: int, similarity: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    state = convert_released(_read(path))
    needed = ("encoder.clip.visual.proj", "encoder.clip.text.text_projection", "encoder.temporal.time.weight")
    lacking = [key for key in needed if key not in state]
    if lacking:
        raise ValueError(
            f"{path} lacks {', '.join(lacking)} (our names): no checkpoint of a whole released STAN"
        )
    beside = path.with_name("config.json")
    config = json.loads(beside.read_text()) if beside.is_file() else {}
    options = {"layers": _count(state, "encoder.temporal.layers."), "max_frames": len(state[needed[2]])}
    state["encoder.clip.logit_scale"] = torch.tensor(RELEASED_LOGIT_SCALE)
    return {
        "architecture": _architecture(state, config),
        "options": options,
        "frames": config.get("frames", frames),
        "similarity": similarity,
    }, state


_TOP = {
    "backbone.class_embedding": "clip.visual.class_embedding",
    "backbone.patch_embedding.weight": "clip.visual.conv1.weight",
    "backbone.position_embedding.weight": "clip.visual.positional_embedding",
    "backbone.pre_layrnorm": "clip.visual.ln_pre",
    "backbone.post_layernorm": "clip.visual.ln_post",
    "backbone.visual_projection.weight": "clip.visual.proj",
    "backbone.layers": "clip.visual.transformer.resblocks",
    "backbone.STAN_time_embed": "temporal.time",
    "text_backbone.text_model.embeddings.token_embedding": "clip.text.token_embedding",
    "text_backbone.text_model.embeddings.position_embedding.weight": "clip.text.positional_embedding",
    "text_backbone.text_model.encoder.layers": "clip.text.transformer.resblocks",
    "text_backbone.text_model.final_layer_norm": "clip.text.ln_final",
    "text_backbone.text_projection.weight": "clip.text.text_projection",
}
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


def convert_released(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The released layout under our names. Keys of neither tower are left out, with a warning.

    Raises ValueError for a tower's key that has no counterpart.
    """
    towers = {key: value for key, value in state.items() if key.startswith(("backbone.", "text_backbone."))}
    foreign = sorted(set(state) - set(towers))
    if foreign:
        warnings.warn(f"left out, as no part of the two towers: {', '.join(foreign)}", stacklevel=2)
    joined = _join_projections(
        {key: value for key, value in towers.items() if not key.endswith("position_ids")}
    )
    converted = {_our_name(key): value for key, value in joined.items()}
    return {f"encoder.{key}": value.T if key in _TRANSPOSED else value for key, value in converted.items()}


def _join_projections(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The three projections of queries, keys and values as the one tensor of torch's attention."""
    joined = {}
    for key, value in state.items():
        if ".q_proj." in key:
            parts = [state[key.replace("q_proj", name)] for name in ("q_proj", "k_proj", "v_proj")]
            joined[key.replace("q_proj.", "in_proj_")] = torch.cat(parts)
        elif ".k_proj." not in key and ".v_proj." not in key:
            joined[key] = value
    return joined


def _our_name(key: str) -> str:
    branch = re.fullmatch(r"backbone\.STAN_([ST])_layers\.(\d+)\.(.+)", key)
    if branch:
        kind, number, rest = branch.groups()
        part, names = ("intra_frame.block", _IN_BLOCK) if kind == "S" else ("cross_frame", _IN_CROSS_FRAME)
        return f"temporal.layers.{number}.{part}.{_renamed(rest, names, key)}"
    ours = _renamed(key, _TOP, key)
    block = re.fullmatch(r"(.*resblocks\.\d+)\.(.+)", ours)
    return f"{block[1]}.{_renamed(block[2], _IN_BLOCK, key)}" if block else ours


def _renamed(name: str, names: Mapping[str, str], key: str) -> str:
    for theirs, ours in names.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    raise ValueError(
        f"{key} has no counterpart: this is no checkpoint of the released STAN with self-attention"
    )


def _architecture(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Any]:
    """open_clip's model config, read off the weights."""
    vision, text = "encoder.clip.visual.", "encoder.clip.text."
    width, _, patch, _ = state[vision + "conv1.weight"].shape
    grid = math.isqrt(len(state[vision + "positional_embedding"]) - 1)
    vocabulary, text_width = state[text + "token_embedding.weight"].shape
    if not config and (width % 64 or text_width % 64):
        raise ValueError(
            f"towers {width} and {text_width} wide hold no heads of 64 channels: put a config.json with"
            ' {"vision": {"heads": ...}, "text": {"heads": ...}} beside the checkpoint'
        )
    return {
        "embed_dim": state[vision + "proj"].shape[1],
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": grid * patch,
            "patch_size": patch,
            "width": width,
            "layers": _count(state, vision + "transformer.resblocks."),
            "head_width": width // config["vision"]["heads"] if config else 64,
        },
        "text_cfg": {
            "context_length": len(state[text + "positional_embedding"]),
            "vocab_size": vocabulary,
            "width": text_width,
            "layers": _count(state, text + "transformer.resblocks."),
            "heads": config["text"]["heads"] if config else text_width // 64,
        },
    }


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    return len({key.removeprefix(prefix).split(".")[0] for key in state if key.startswith(prefix)})


def fill(model: nn.Module, state: Mapping[str, Tensor], source: str | Path, optional: str = "") -> None:
    """Puts `state` into `model`; names that start with `optional` (if given) may be missing from it.

    Raises ValueError naming what doesn't fit.
    """
    ours = model.state_dict()
    missing = [key for key in ours if key not in state and not (optional and key.startswith(optional))]
    unknown = [key for key in state if key not in ours]
    misshaped = [key for key in state if key in ours and state[key].shape != ours[key].shape]
    for what, keys in (("misses", missing), ("has unknown", unknown), ("has another shape of", misshaped)):
        if keys:
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            raise ValueError(f"{source} {what} {', '.join(keys[:3])}{more}: it belongs to another model")
    model.load_state_dict(state, strict=False)


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load(path)[0]
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path} is not a file of plain tensors ({str(error).splitlines()[0]}): where you trust it,"
            " load it where it"
            " was made and save its 'state_dict' alone, best as safetensors"
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else {}
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(
            f"{path} holds no state dict: expected names and tensors, at the top or under 'state_dict'"
        )
    return state
