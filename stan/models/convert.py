"""A released checkpoint in, a model or a checkpoint of ours out."""

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
    """A file of another layout, understood: what to build, its tensors under our names, what was done."""

    design: dict[str, Any]
    """architecture (open_clip's), temporal, options, frames, similarity: plain JSON values."""
    state: dict[str, Tensor]
    report: dict[str, Any]


def load_released(
    path: str | Path, frames: int = 12, activation: str | None = None, similarity: str = "cosine"
) -> DualEncoder:
    """A model, ready for inference, from the released STAN's layout, or with mean pooling from a CLIP's.

    path: `.safetensors`, or `.pth` of plain tensors: nothing in a file is executed. Layouts: `stan.models.layouts`.
        Sizes are read off the weights. Heads, which weights don't tell, and the number of frames come from a
        `config.json` beside the file (ours or Hugging Face's), else 64 channels per head as in CLIP, and `frames`.
    activation: quick_gelu or gelu; None for what the config says, else quick_gelu.
    similarity: how texts and videos are scored; Mug's heads (`mug_simple`, `mug_full`) have no weights, so that no
        checkpoint tells whether it was trained with one.

    Raises ValueError naming what is missing, unknown, of another kind or unreadable.
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
    """Writes a checkpoint of another layout as one that `stan.load_model` reads; returns what it did.

    A CLIP's file can also be `--pretrained` of its architecture. The report: source, sha256, target, layout, sizes,
    heads, activation, context_length, vocabulary, end_token, branch, frames, parameters, dtypes, left_out. Errors as
    in `load_released`; then nothing is written.
    """
    design, state, report = understand(source, frames, activation, similarity)
    model = assemble(design, state, source)  # refuses what doesn't fit before anything is written
    report |= {"target": str(target), "parameters": sum(p.numel() for p in model.parameters())}
    of_clip = design["temporal"] == "mean"  # as open_clip itself names them
    names = {key: key.removeprefix("encoder.clip.") if of_clip else key for key in state}
    kept = {name: report[name] for name in ("source", "sha256")}
    save(target, {names[key]: value for key, value in state.items()}, {"converted": design} | kept)
    return report


def understand(
    path: str | Path, frames: int = 12, activation: str | None = None, similarity: str = "cosine"
) -> Conversion:
    """What is in a file of another layout. Errors as in `load_released`, as far as names and sizes tell."""
    path = Path(path)
    beside = path.with_name("config.json")
    try:
        config = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
        layout, state, left_out = layouts.convert(_read(path))
        activation = activation or _told(config, "activation", "hidden_act")[0] or "quick_gelu"
        heads = _told(config, "heads", "num_attention_heads")
        design = {"architecture": layouts.architecture(state, heads, activation)}
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
    """The model of a `Conversion`'s design and tensors; `source` is named in errors."""
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
    """A setting of the image tower and of the text tower, None where the config doesn't tell."""
    return tuple(
        config.get(tower, {}).get(name)
        or config.get(f"{tower}_config", {}).get(huggingface_name)
        or config.get(name)
        for tower in ("vision", "text")
    )


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
        "end_token": text["vocab_size"] - 1,  # CLIP's is the last of the vocabulary
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
