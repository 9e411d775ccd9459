"""A released checkpoint in, a model or a checkpoint in our own layout out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from stan.common.errors import about
from stan.common.files import digest, read_settings
from stan.common.json_values import require
from stan.common.tensors import numel
from stan.data.preprocessing import OPENAI, PixelSettings
from stan.models import layouts, pixel_settings, weight_files
from stan.models.backbones import architecture, from_config, load_clip
from stan.models.checkpoint import fill, save
from stan.models.dual_encoder import DualEncoder
from stan.models.layouts.clip import architecture as implied
from stan.models.layouts.told import class_names
from stan.models.temporal import build as build_temporal

NESTED = ("state_dict", "model_state_dict", "model_state", "model")
"""Names under which training scripts keep the weights, beside an optimizer's state and the like."""
BESIDE = "fusion_model_state_dict"
"""ActionCLIP and BIKE keep what follows CLIP apart from `model_state_dict`; both are read, each under its own name."""
SETTINGS = ("config.json", "hparams_train.json", "config.yaml")
"""Files beside a checkpoint with the settings that weights don't show: ours or Hugging Face's, CenterCLIP's, and what
BIKE and SlowFast's descendants (Open-VCLIP, UniFormerV2, TimeSformer, X-CLIP) train with."""
SETTINGS_ARE = {"frames": "int"} | dict.fromkeys(
    ("DATA", "vision", "text", "vision_config", "text_config", "flags", "id2label"), "dict[str, Any]"
)
"""What the number of frames and those settings are that hold others."""
WRAPPERS = ("module.", "model.", "_orig_mod.")
"""What data parallel training, a surrounding class and torch.compile put before every name."""


class Conversion(NamedTuple):
    """What was read from a file of another layout: the design of the model, its tensors under our names, a report."""

    design: dict[str, Any]
    """Keys: architecture (open_clip's), temporal, options, frames, similarity, similarity_options, and pixels
    (`PixelSettings.saved`) where they aren't OpenAI's; JSON values."""
    state: dict[str, Tensor]
    report: dict[str, Any]


def load_released(
    path: str | Path,
    frames: int = 12,
    activation: str | None = None,
    similarity: str | None = None,
    clip: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> DualEncoder:
    """Return a model, ready for inference, from a file in a layout of `stan.models.layouts.LAYOUTS`.

    A CLIP's file gives a model with mean pooling.
    path: `.safetensors`, or `.pth` of plain tensors: nothing in a file is executed. Sizes are read off the weights.
        Weights don't show the number of heads. It and the number of frames come from a `config.json` beside the file
        (ours or Hugging Face's), an `hparams_train.json` (CenterCLIP's) or a `config.yaml` (SlowFast's, BIKE's);
        defaults are 64 channels per head, as in CLIP, and `frames`.
    activation: quick_gelu or gelu; None for the config's activation, or quick_gelu if the config names none.
    similarity: how texts and videos are scored; None for the layout's own. Mug's heads (`mug_simple`, `mug_full`) have
        no weights, so a checkpoint doesn't show whether it was trained with one.
    clip: the CLIP that completes a file without one of its own towers: ARCHITECTURE:PRETRAINED as in `load_clip`
        (`ViT-B-16:openai`), or a CLIP's file.
    options: of the temporal method, where they differ from what the weights and the config say.

    Raises ValueError, naming what is missing, unknown, of another kind, not finite or unreadable.
    """
    design, state, _ = understand(path, frames, activation, similarity, clip, options)
    return assemble(design, state, path)


def convert(
    source: str | Path,
    target: str | Path,
    frames: int = 12,
    activation: str | None = None,
    similarity: str | None = None,
    clip: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write a checkpoint of another layout as one that `stan.load_model` reads; return a report of what was done.

    A written CLIP can also be used as `--pretrained` of its architecture. The report's keys: source, sha256, target,
    layout, sizes, heads, activation, context_length, vocabulary, end_token, temporal, branch, similarity, frames,
    parameters, dtypes, left_out. Parameters and errors are those of `load_released`; on an error nothing is written.
    """
    design, state, report = understand(source, frames, activation, similarity, clip, options)
    model = assemble(design, state, source)  # refuses what doesn't fit before anything is written
    report |= {"target": str(target), "parameters": numel(model.parameters())}
    of_clip = all(key.startswith("encoder.clip.") for key in state)  # written under open_clip's own names
    names = {key: key.removeprefix("encoder.clip.") if of_clip else key for key in state}
    kept = {name: report[name] for name in ("source", "sha256")}
    save(target, {names[key]: value for key, value in state.items()}, {"converted": design} | kept)
    return report


def understand(
    path: str | Path,
    frames: int = 12,
    activation: str | None = None,
    similarity: str | None = None,
    clip: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Conversion:
    """Read a file of another layout. Parameters and errors are those of `load_released`."""
    path = Path(path)
    try:
        told = _beside(path)
        layout, state, implied_design, left_out = layouts.convert(_finite(_weights(path)), told)
        if implied_design.get("similarity") == "linear_classifier":
            of_classifier = implied_design["similarity_options"]
            if names := class_names(told, of_classifier["classes"]):
                of_classifier["names"] = names
        of_towers = {name: implied_design.pop(name, None) for name in ("activation", "heads")}
        of_clip, pixels = _completed(state, clip)
        if of_clip is None:
            activation = activation or of_towers["activation"] or _activation(told) or "quick_gelu"
            heads = _told(told, "heads", "num_attention_heads")
            of_clip = implied(state, (of_towers["heads"], None) if of_towers["heads"] else heads, activation)
    except ValueError as error:
        raise ValueError(about(path, error)) from None
    design: dict[str, Any] = {
        "temporal": "mean",
        "similarity": "cosine",
        "similarity_options": {},
    } | implied_design
    design["architecture"] = _joined(of_clip, implied_design.get("architecture", {}))
    design["options"] = implied_design.get("options", {}) | dict(options or {})
    design.setdefault("frames", told.get("frames", frames))
    pixels = pixel_settings.of_file(path) or layout.pixels or pixels
    if pixels.unlike_openai:
        design["pixels"] = pixels.saved
    if similarity is not None and similarity != design["similarity"]:
        design |= {"similarity": similarity, "similarity_options": RELEASED_HEADS.get(similarity, {})}
        left_out |= {key: "another similarity was asked for" for key in state if key.startswith("score.")}
        state = {key: value for key, value in state.items() if key not in left_out}
    report = _report(path, layout.words, design, state) | {"left_out": left_out}
    return Conversion(design, {_of_model(key): value for key, value in state.items()}, report)


def assemble(design: Mapping[str, Any], state: Mapping[str, Tensor], source: str | Path) -> DualEncoder:
    """Build the model from the design and the tensors of a `Conversion`; `source` is named in errors."""
    clip = from_config(design["architecture"], PixelSettings(*design.get("pixels", ())))
    temporal = build_temporal(design["temporal"], clip, design["frames"], design["options"])
    similarity = design["similarity"]
    of_similarity = design.get("similarity_options", RELEASED_HEADS.get(similarity))  # 0.2 didn't write them
    model = DualEncoder(clip, temporal, similarity, of_similarity)
    fill(model, state, source)
    return model.eval()


RELEASED_HEADS = {"mug_full": {"released": True}, "concept_spotting": {"padded": True}}
"""Options with which a similarity scores as the released code does."""


def _beside(path: Path) -> dict[str, Any]:
    """Return the settings in the first of SETTINGS beside a file, or none."""
    found = next((path.with_name(name) for name in SETTINGS if path.with_name(name).is_file()), None)
    if found is None:
        return {}
    told = {name: value for name, value in read_settings(found).items() if value is not None}
    for name, kind in SETTINGS_ARE.items():
        if name in told:
            require(f"{found}: {name}", told[name], kind)
    if frames := told.get("DATA", {}).get("NUM_FRAMES"):
        require(f"{found}: DATA.NUM_FRAMES", frames, "int")
        told.setdefault("frames", frames)
    return told


def _of_model(key: str) -> str:
    return key if key.startswith("score.") else f"encoder.{key}"


def _completed(state: dict[str, Tensor], clip: str | None) -> tuple[dict[str, Any] | None, PixelSettings]:
    """Add to `state` what it lacks of the CLIP that `clip` names; return that CLIP's architecture and settings.

    Without a name, the architecture is None: the file must hold whole towers. Raises ValueError if there are none.
    """
    if clip is None:
        # a decoder's own norm is CLIP's last one here
        if not any(key.startswith("clip.") and ".ln_post." not in key for key in state):
            raise ValueError(
                "holds what was trained beside a frozen CLIP, without the CLIP: name it, such as --clip ViT-B-16:openai"
                " or --clip FILE"
            )
        of_text = any(key.startswith("clip.text.") for key in state)
        if of_text and "clip.text.token_embedding.weight" not in state:
            raise ValueError(
                "lacks clip.text.token_embedding.weight (our name), which a CLIP completes: name the one that it was"
                " tuned from, such as --clip ViT-B-16:openai or --clip FILE"
            )
        if "clip.visual.conv1.weight" in state and not of_text:
            # released without a text tower: videos may be embedded in the image tower's own width
            state.setdefault("clip.visual.proj", torch.eye(len(state["clip.visual.conv1.weight"])))
            state.setdefault("clip.logit_scale", torch.tensor(0.0))
        return None, OPENAI
    named, tensors, pixels = named_clip(clip)
    for name, tensor in tensors.items():
        state.setdefault(name, tensor)
    return named, pixels


def _joined(architecture: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the architecture with a layout's own parts; those of a tower are joined with the tower's."""
    towers = {
        name: architecture[name] | parts[name] for name in parts if isinstance(architecture.get(name), dict)
    }
    return {**architecture, **parts, **towers}


def named_clip(clip: str) -> tuple[dict[str, Any], dict[str, Tensor], PixelSettings]:
    """Return the architecture, the tensors (`clip.*`) and the settings of the CLIP with this name or in this file."""
    if os.path.isfile(clip):  # unlike Path.is_file, it takes a name that is longer than the system's
        design, state, _ = understand(clip)
        tensors = {key.removeprefix("encoder."): value for key, value in state.items()}
        return design["architecture"], tensors, PixelSettings(*design.get("pixels", ()))
    backbone, _, pretrained = clip.partition(":")
    loaded = load_clip(backbone, pretrained or None)
    tensors = {f"clip.{key}": value for key, value in loaded.state_dict().items()}
    return architecture(backbone, pretrained or None), tensors, loaded.pixels


def _told(config: Mapping[str, Any], name: str, huggingface_name: str) -> tuple[Any, Any]:
    """Return a setting of the image tower and of the text tower; None if the config doesn't give it."""
    image, text = (
        config.get(tower, {}).get(name)
        or config.get(f"{tower}_config", {}).get(huggingface_name)
        or config.get(name)
        for tower in ("vision", "text")
    )
    return image, text


def _activation(config: Mapping[str, Any]) -> Any:
    """Return the towers' activation; a method's config may name it apart from that of the method's own parts."""
    given = _told(config, "activation", "hidden_act")[0]
    return given.get("clip") if isinstance(given, dict) else given


def _report(
    path: Path, layout: str, design: Mapping[str, Any], state: Mapping[str, Tensor]
) -> dict[str, Any]:
    parts = design["architecture"]
    vision, text = parts["vision_cfg"], parts["text_cfg"] or {}
    vocabulary = text.get("vocab_size")
    return {
        "source": path.name,
        "sha256": digest(path),
        "layout": layout,
        "sizes": {
            "embedding": parts["embed_dim"],
            "image": {name: vision[name] for name in ("image_size", "patch_size", "width", "layers")},
            "text": {name: text.get(name) for name in ("width", "layers")},
        },
        "heads": {
            "image": vision["width"] // vision.get("head_width", 64),
            "text": text.get("heads"),
        },
        "activation": "quick_gelu" if parts.get("quick_gelu") else "gelu",
        "context_length": text.get("context_length"),
        "vocabulary": vocabulary,
        "end_token": vocabulary and vocabulary - 1,  # CLIP's end token is the last of the vocabulary
        "temporal": design["temporal"],
        "branch": design["options"] or None,
        "similarity": design["similarity"],
        "frames": design["frames"],
        "dtypes": sorted({str(value.dtype).removeprefix("torch.") for value in state.values()}),
    }


def _weights(path: Path) -> dict[str, Tensor]:
    """Return a file's tensors, without what training scripts wrap around them."""
    state = _unwrapped(weight_files.content(path))
    if not state:
        raise ValueError(
            f"{path} holds no state dict: expected names and tensors, at the top or under one of {', '.join(NESTED)}"
        )
    while wrapper := next((w for w in WRAPPERS if all(key.startswith(w) for key in state)), None):
        state = {key.removeprefix(wrapper): value for key, value in state.items()}
    return state


def _unwrapped(content: Any) -> dict[str, Tensor]:
    """Return the tensors at the top or one level below; empty if there is anything else among them."""
    if not isinstance(content, dict):
        return {}
    if BESIDE in content:
        both = {name: content.get(name) for name in ("model_state_dict", BESIDE)}
        return {f"{name}.{key}": value for name in both for key, value in _unwrapped(both[name]).items()}
    nested = next((content[name] for name in NESTED if isinstance(content.get(name), dict)), content)
    return nested if all(isinstance(value, Tensor) for value in nested.values()) else {}


def _finite(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return `state`. Raises ValueError, naming the tensors that hold NaN or infinite values."""
    broken = [key for key, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise ValueError(
            f"{layouts.listed(broken)} holds NaN or infinite values: training diverged, or the file broke"
        )
    return state
