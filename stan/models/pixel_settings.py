"""A tag's settings, or what stands in and beside a file of weights, in; how its CLIP reads pixels out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from stan.common.errors import about
from stan.common.files import read_settings
from stan.common.json_values import require
from stan.data.preprocessing import OPENAI, PixelSettings
from stan.models import checkpoint

NAMES = ("mean", "std", "interpolation", "resize_mode", "fill_color")


def told(config: Mapping[str, Any]) -> PixelSettings:
    """Return the settings in a tag's description or in the `preprocess_cfg` of a model, both open_clip's.

    What isn't told is as in OpenAI's CLIPs. Raises ValueError for a setting that doesn't exist.
    """
    found = {name: config[name] for name in NAMES if config.get(name) is not None}
    if found.get("interpolation") == "random":
        found["interpolation"] = "bicubic"  # random in open_clip's training, but not in its testing
    return PixelSettings(**found)


def shared(tags: Iterable[Mapping[str, Any]]) -> PixelSettings:
    """Return the settings of all tags of an architecture if they have the same ones, otherwise OpenAI's."""
    found = {told(tag) for tag in tags}
    return found.pop() if len(found) == 1 else OPENAI


def of_file(path: Path) -> PixelSettings | None:
    """Return what is told with weights: by `stan convert` in the file itself, or by one of these files beside it.

    open_clip's `open_clip_config.json` counts before Hugging Face's `preprocessor_config.json`. None if none tells it.
    Raises ValueError for a setting that doesn't exist.
    """
    if path.suffix == ".safetensors":
        converted = checkpoint.metadata(path).get("converted", {})
        if "pixels" in converted:
            return PixelSettings(*converted["pixels"])
    try:
        return _of_open_clip(path) or _of_hugging_face(path)
    except ValueError as error:
        raise ValueError(about(path.parent, error, f"{path.parent}, beside the weights")) from error


def _of_open_clip(path: Path) -> PixelSettings | None:
    file = path.with_name("open_clip_config.json")
    config = _json(file).get("preprocess_cfg")
    require(f"{file}: preprocess_cfg", config, "dict[str, Any] | None")
    return None if config is None else told(config)


def _of_hugging_face(path: Path) -> PixelSettings | None:
    """Return the settings of an image processor; one that resizes to a height and a width squashes frames."""
    config = _json(path.with_name("preprocessor_config.json"))
    if not {"image_mean", "image_std"} <= config.keys():
        return None
    how = Image.Resampling(config.get("resample", Image.Resampling.BICUBIC)).name.lower()
    squash = isinstance(config.get("size"), dict) and "height" in config["size"]
    return PixelSettings(config["image_mean"], config["image_std"], how, "squash" if squash else "shortest")


def _json(path: Path) -> dict[str, Any]:
    return read_settings(path) if path.is_file() else {}
