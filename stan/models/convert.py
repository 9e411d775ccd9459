"""A released checkpoint in, a model or a checkpoint in our own layout out."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from stan.common.files import digest
from stan.models import layouts
from stan.models.checkpoint import fill, load, save
from stan.models.clip import from_config
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal import build as build_temporal


class Conversion(NamedTuple):
    """What was read from a file of another layout: the design of the model, its tensors under our names, a report."""

    design: dict[str, Any]
    """Keys: architecture (open_clip's), temporal, options, frames, similarity; plain JSON values."""
    state: dict[str, Tensor]
    report: dict[str, Any]


def load_released(
    path: str | Path, frames: int = 12, activation: str | None = None, similarity: str = "cosine"
) -> DualEncoder:
    """Return a model, ready for inference, from a file in the released STAN's layout or in a CLIP's.

    A CLIP's file gives a model with mean pooling.
    path: `.safetensors`, or `.pth` of plain tensors: nothing in a file is executed. Layouts: `stan.models.layouts`.
        Sizes are read off the weights. Weights don't show the number of heads. It and the number of frames come from a
        `config.json` beside the file (ours or Hugging Face's); defaults are 64 channels per head, as in CLIP, and
        `frames`.
    activation: quick_gelu or gelu; None for the config's activation, or quick_gelu if the config names none.
    similarity: how texts and videos are scored. Mug's heads (`mug_simple`, `mug_full`) have no weights, so a checkpoint
        doesn't show whether it was trained with one.

    Raises ValueError, naming what is missing, unknown, of another kind or unreadable.
    """
    design, state, _ = understand(path, frames, activation, similarity)
    return assemble(design, state, path)


def convert(
    source: str | Path,
    target: str | Path,
    frames: int = 12,
    activation: str | None = None,
    similarity: str = "cosine",
) -> dict[str, Any]:
    """Write a checkpoint of another layout as one that `stan.load_model` reads; return a report of what was done.

    A written CLIP can also be used as `--pretrained` of its architecture. The report's keys: source, sha256, target,
    layout, sizes, heads, activation, context_length, vocabulary, end_token, branch, frames, parameters, dtypes,
    left_out. Raises the same errors as `load_released`; then nothing is written.
    """
    design, state, report = understand(source, frames, activation, similarity)
    model = assemble(design, state, source)  # refuses what doesn't fit before anything is written
    report |= {"target": str(target), "parameters": sum(p.numel() for p in model.parameters())}
    of_clip = design["temporal"] == "mean"  # a CLIP's tensors are written under open_clip's own names
    names = {key: key.removeprefix("encoder.clip.") if of_clip else key for key in state}
    kept = {name: report[name] for name in ("source", "sha256")}
    save(target, {names[key]: value for key, value in state.items()}, {"converted": design} | kept)
    return report


def understand(
    path: str | Path, frames: int = 12, activation: str | None = None, similarity: str = "cosine"
) -> Conversion:
    """Read a file of another layout.

    Raises the same errors as `load_released`, as far as names and sizes show them.
    """
    path = Path(path)
    beside = path.with_name("config.json")
    try:
        config = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
        layout, state, left_out = layouts.convert(_read(path))
        activation = activation or _told(config, "activation", "hidden_act")[0] or "quick_gelu"
        heads = _told(config, "heads", "num_attention_heads")
        design: dict[str, Any] = {"architecture": layouts.architecture(state, heads, activation)}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    design |= {
        "temporal": "mean",
        "options": {},
        "frames": config.get("frames", frames),
        "similarity": similarity,
    }
    if layout == "released":
        time = state.get("temporal.time.weight")
        if time is None:
            raise ValueError(f"{path} lacks temporal.time.weight (our name): no checkpoint of a whole STAN")
        layers = layouts.count(state, "temporal.layers.")
        design |= {"temporal": "stan", "options": {"layers": layers, "max_frames": len(time)}}
        state["clip.logit_scale"] = torch.tensor(RELEASED_LOGIT_SCALE)
    report = _report(path, layout, design, state) | {"left_out": left_out}
    return Conversion(design, {f"encoder.{key}": value for key, value in state.items()}, report)


def assemble(design: Mapping[str, Any], state: Mapping[str, Tensor], source: str | Path) -> DualEncoder:
    """Build the model from the design and the tensors of a `Conversion`; `source` is named in errors."""
    clip = from_config(design["architecture"])
    temporal = build_temporal(design["temporal"], clip, design["frames"], design["options"])
    similarity = design["similarity"]
    model = DualEncoder(clip, temporal, similarity, RELEASED_HEADS.get(similarity))
    fill(model, state, source)
    return model.eval()


RELEASED_LOGIT_SCALE = math.log(100)  # the released recipe divides cosines by a fixed 0.01


RELEASED_HEADS = {"mug_full": {"released": True}}
"""Options with which a similarity scores as the released code does."""


def _told(config: Mapping[str, Any], name: str, huggingface_name: str) -> tuple[Any, Any]:
    """Return a setting of the image tower and of the text tower; None if the config doesn't give it."""
    image, text = (
        config.get(tower, {}).get(name)
        or config.get(f"{tower}_config", {}).get(huggingface_name)
        or config.get(name)
        for tower in ("vision", "text")
    )
    return image, text


def _report(
    path: Path, layout: str, design: Mapping[str, Any], state: Mapping[str, Tensor]
) -> dict[str, Any]:
    parts = design["architecture"]
    vision, text, options = parts["vision_cfg"], parts["text_cfg"], design["options"]
    return {
        "source": path.name,
        "sha256": digest(path),
        "layout": layouts.NAMES[layout][0],
        "sizes": {
            "embedding": parts["embed_dim"],
            "image": {name: vision[name] for name in ("image_size", "patch_size", "width", "layers")},
            "text": {name: text[name] for name in ("width", "layers")},
        },
        "heads": {"image": vision["width"] // vision["head_width"], "text": text["heads"]},
        "activation": "quick_gelu" if parts["quick_gelu"] else "gelu",
        "context_length": text["context_length"],
        "vocabulary": text["vocab_size"],
        "end_token": text["vocab_size"] - 1,  # CLIP's end token is the last of the vocabulary
        "branch": options or None,
        "frames": design["frames"],
        "dtypes": sorted({str(value.dtype).removeprefix("torch.") for value in state.values()}),
    }


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
