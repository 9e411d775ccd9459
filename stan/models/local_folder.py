"""A folder of weights, or a file in one, in; what the files beside the weights tell of their CLIP out."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from stan.common.json_values import from_json, require
from stan.common.open_clip_import import prepare

prepare()

from open_clip.model import CLIPTextCfg  # noqa: E402

CONFIG = "open_clip_config.json"
PARTS = {"embed_dim", "vision_cfg", "text_cfg"}
KINDS = {int: "int", float: "float", bool: "bool", str: "str", dict: "dict[str, Any]"}
MAY_BE_NULL = ("hf_proj_type",)
"""Beside the settings that are null by default."""


def architecture(folder: Path) -> dict[str, Any]:
    """Return the model config in an open_clip folder. Raises ValueError for a folder that doesn't tell it."""
    path = folder / CONFIG
    if not os.path.isfile(path):  # unlike Path.is_file, it takes a name that is longer than the system's
        raise ValueError(
            f"{path} describes no model: there is none, so the architecture must be named beside the folder:"
            f" clip:ARCHITECTURE/{folder} as a model, --backbone ARCHITECTURE --pretrained {folder} in training;"
            " `stan backbones` lists them"
        )
    found = _json(path)
    config = found.get("model_cfg", found)
    if not isinstance(config, dict) or not config.keys() >= PARTS:
        raise ValueError(f"{path} holds no model_cfg with {', '.join(sorted(PARTS))}")
    for tower, kind in {"vision_cfg": "dict[str, Any]", "text_cfg": "dict[str, Any] | None"}.items():
        require(f"{path}: {tower}", config[tower], kind)
    require(f"{path}: quick_gelu", config.get("quick_gelu", False), "bool")
    kinds = _text_settings()
    for setting, value in (config["text_cfg"] or {}).items():
        if setting in kinds:  # open_clip itself refuses others
            require(f"{path}: text_cfg.{setting}", value, kinds[setting])
    return config


def _text_settings() -> dict[str, str]:
    """Return the kind of each setting of a text tower, as open_clip annotates them."""
    hints, kinds = get_type_hints(CLIPTextCfg), {}
    for one in fields(CLIPTextCfg):
        annotated = next(iter(get_args(hints[one.name])), hints[one.name])  # the first of Optional's
        null = one.default is None or one.name in MAY_BE_NULL
        if annotated in KINDS:  # a later open_clip may have more
            kinds[one.name] = KINDS[annotated] + " | None" * null
    return kinds


def tell(config: dict[str, Any], weights: Path) -> None:
    """Change a model config, in place, by what the files beside the weights say of the activation."""
    folder = weights.parent
    if (folder / CONFIG).is_file():
        config["quick_gelu"] = architecture(folder).get("quick_gelu", False)
    elif (told := folder / "config.json").is_file() and (theirs := _json(told)).get("model_type") == "clip":
        vision = theirs.get("vision_config") or {}
        require(f"{told}: vision_config", vision, "dict[str, Any]")
        activation = vision.get("hidden_act", "quick_gelu")
        config["quick_gelu"] = activation == "quick_gelu"


def _json(path: Path) -> dict[str, Any]:
    try:
        found = from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of JSON or of UTF-8
        raise ValueError(f"{path} describes no model: it is not JSON ({error}); fetch it again") from error
    return found if isinstance(found, dict) else {}
