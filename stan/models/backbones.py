"""Name of a backbone, or open_clip's model config, in; a CLIP with its weights out."""

from __future__ import annotations

import difflib
import json
import pickle
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from stan.common.open_clip_import import prepare
from stan.common.paths import ASSETS
from stan.data.preprocessing import OPENAI, PixelSettings
from stan.models import checkpoint, pixel_settings
from stan.models.clip import Clip
from stan.models.hugging_face_text import HuggingFaceText
from stan.models.tokenizer import CONTEXT, VOCABULARY, tokenizer_of

prepare()

import open_clip  # noqa: E402
from open_clip.coca_model import CoCa  # noqa: E402
from open_clip.factory import load_checkpoint  # noqa: E402
from open_clip.model import CustomTextCLIP  # noqa: E402
from open_clip.pretrained import get_pretrained_cfg  # noqa: E402
from torch import nn  # noqa: E402

SHIPPED = {"tiny": "tiny_clip", "tiny-siglip": "tiny_siglip", "tiny-eva": "tiny_eva"}
"""Backbones whose weights ship, made by `stan pretrain`, and the name of their files."""
TINY_WEIGHTS = ASSETS / "weights" / "tiny_clip.safetensors"
UNUSED_TEXT = {"context_length": 2, "vocab_size": 2, "width": 1, "heads": 1, "layers": 1}
"""open_clip always builds a text tower; this smallest one is thrown away."""
LOCAL = "local-dir:"
"""open_clip's prefix of a folder with a model: open_clip_config.json, weights, perhaps a tokenizer's files."""
WEIGHTS = (
    *("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin"),
    *("open_clip_pytorch_model.pth", "model.safetensors", "pytorch_model.bin", "pytorch_model.pth"),
)
"""Names of a model's weights in a folder, in open_clip's order."""


def load_clip(backbone: str = "tiny", pretrained: str | None = None) -> Clip:
    """Return a CLIP by name.

    backbone: one of `SHIPPED`, an architecture of open_clip (`ViT-B-32`, `coca_ViT-B-32`), or `local-dir:FOLDER` with a
        model in open_clip's layout. Of a CoCa, only the two towers are kept, not the decoder that writes captions.
    pretrained: None for the weights that ship or lie in the folder, `random`, an open_clip tag (`openai`), or a local
        file or folder in open_clip's layout. With a tag, the activation that the tag was trained with is used, whatever
        the name of the backbone says. For a local file of OpenAI's weights, choose the `-quickgelu` architecture.

    Frames are prepared as the tag was trained; those of a local file as it says itself or as an `open_clip_config.json`
    or `preprocessor_config.json` beside it does, otherwise, and with random weights, as for all tags of the backbone
    if these agree, else as for OpenAI's CLIPs. A Hugging Face tokenizer is read from beside the weights or from the
    hub's local cache, once a text needs it.

    Raises ValueError for an unknown name, an architecture that is not reproduced here, and weights that cannot be
    fetched or read.
    """
    config, pixels, weights = _described(backbone, pretrained)
    return from_config(config, pixels, weights, backbone)


def architecture(backbone: str = "tiny", pretrained: str | None = None) -> dict[str, Any]:
    """Return open_clip's model config of what `load_clip` loads. Raises the same errors."""
    return _described(backbone, pretrained)[0]


def _described(backbone: str, pretrained: str | None) -> tuple[dict[str, Any], PixelSettings, Path | None]:
    """Return a CLIP's model config, how it reads pixels, and the file of its weights (None: random)."""
    config, weights = _architecture(backbone), None
    tags = open_clip.list_pretrained_tags_by_model(backbone)
    pixels = pixel_settings.shared(get_pretrained_cfg(backbone, tag) for tag in tags)
    if backbone.startswith(LOCAL):
        pretrained = pretrained or backbone.removeprefix(LOCAL)
    if pretrained is None and backbone not in SHIPPED:
        raise ValueError(f"{backbone} needs pretrained=: one of {', '.join(tags)}; a local file; or 'random'")
    if pretrained is None or Path(pretrained).is_file():
        weights = _present(Path(pretrained or shipped_weights(backbone)))
        pixels = pixel_settings.of_file(weights) or pixels
    elif Path(pretrained).is_dir():
        weights = _weights_in(Path(pretrained))
        pixels = pixel_settings.of_file(weights) or pixels
    elif pretrained != "random":
        tag = _tag(backbone, pretrained)
        config["quick_gelu"] = tag.get("quick_gelu", config.get("quick_gelu", False))
        pixels = pixel_settings.told(tag)
        weights = _fetch(backbone, pretrained, tag)
    return config, pixels, weights


def shipped_weights(backbone: str) -> Path:
    """Return the file of a shipped backbone's weights."""
    return ASSETS / "weights" / f"{SHIPPED[backbone]}.safetensors"


def _document(backbone: str) -> dict[str, Any]:
    """Return the open_clip_config.json in a folder."""
    path = Path(backbone.removeprefix(LOCAL)) / "open_clip_config.json"
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} describes no model ({error}): name a folder in open_clip's layout"
        ) from error


def _weights_in(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise ValueError(f"{folder} holds no weights: put a file there, such as {WEIGHTS[0]}")


def image_tower(backbone: str) -> nn.Module:
    """Return open_clip's own image tower, unchanged and with random weights, to compare the wrapper with it."""
    return _random(_architecture(backbone)).visual


def from_config(
    config: dict[str, Any],
    pixels: PixelSettings = OPENAI,
    weights: Path | None = None,
    name: str = "this architecture",
) -> Clip:
    """Build a CLIP from open_clip's model config, with random weights unless given.

    A config whose `text_cfg` is None gives a model without a text tower. pixels: their size is that of the tower.
    """
    _refuse_unsupported(config, name)
    tokenizer = tokenizer_of(config["text_cfg"], None if weights is None else weights.parent)
    model = _random(config)
    shipped = None
    if weights is not None:
        with _wrong_weights(weights, name):
            if _is_shipped(weights):
                shipped = checkpoint.load(weights)[0]
            else:
                load_checkpoint(model, str(weights))  # ty: ignore[invalid-argument-type]  # takes a CoCa, too
    clip = Clip(model, pixels, tokenizer)
    if weights is not None and shipped is not None:
        with _wrong_weights(weights, name):
            clip.load_state_dict(shipped)
    return clip


def _random(config: dict[str, Any]) -> CustomTextCLIP | CoCa:
    """Return open_clip's model with random weights.

    Its image tower returns the embedding alone. Its text tower also returns the tokens if it reads captions at a CLS.
    """
    config = {key: value for key, value in config.items() if key != "custom_text"}
    vision, text = config["vision_cfg"], config["text_cfg"]
    own = text is not None and "hf_model_name" not in text
    config["vision_cfg"] = vision | {"output_tokens": False}
    if own:
        config["text_cfg"] = text | {"output_tokens": text.get("embed_cls", False)}
    else:  # a CoCa's decoder takes its vocabulary from here
        config["text_cfg"] = UNUSED_TEXT | ({} if text is None else {"vocab_size": VOCABULARY})
    model = (CoCa if "multimodal_cfg" in config else CustomTextCLIP)(**config)
    if not own:
        model.text = None if text is None else _hugging_face_text(text, config["embed_dim"])
    return model


def _hugging_face_text(text: dict[str, Any], embed_dim: int) -> HuggingFaceText:
    """Return the text tower, with open_clip's defaults for what its config leaves out."""
    pooler, projection = text.get("hf_pooler_type", "mean_pooler"), text.get("hf_proj_type", "mlp")
    length = text.get("context_length", CONTEXT)
    return HuggingFaceText(text["hf_model_name"], embed_dim, pooler, projection, length)


def _architecture(backbone: str) -> dict[str, Any]:
    if backbone in SHIPPED:
        return json.loads((ASSETS / "models" / f"{SHIPPED[backbone]}.json").read_text())
    if backbone.startswith(LOCAL):
        document = _document(backbone)
        return document.get("model_cfg", document)
    config = open_clip.get_model_config(backbone) if ":" not in backbone else None
    if config is None:
        close = difflib.get_close_matches(backbone, [*open_clip.list_models(), *SHIPPED], 5, 0.4)
        raise ValueError(
            f"backbone {backbone!r} is neither shipped ({', '.join(SHIPPED)}) nor known to open_clip; close:"
            f" {', '.join(close)}"
        )
    return config


def _refuse_unsupported(config: dict[str, Any], name: str) -> None:
    """Raise ValueError for a residual network, and for a text tower that isn't reproduced."""
    vision, text = config["vision_cfg"], config["text_cfg"] or {}
    unsupported = ["residual network"] * isinstance(vision.get("layers"), list)
    unsupported += ["text pool_type"] * (text.get("pool_type", "argmax") == "none")
    if unsupported:
        raise ValueError(
            f"{name} is not supported ({', '.join(unsupported)}): choose a transformer over patches with a text"
            " tower read at one place, such as ViT-B-32, ViT-B-16-SigLIP2 or PE-Core-B-16"
        )


def _tag(backbone: str, pretrained: str) -> dict[str, Any]:
    tag = get_pretrained_cfg(backbone, pretrained)
    if not tag:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(backbone)) or "none"
        raise ValueError(f"pretrained {pretrained!r} is no file and no tag of {backbone} (its tags: {tags})")
    return tag


def _present(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"the tiny CLIP's weights are missing at {path}: make them with `stan pretrain`")
    return path


def _fetch(backbone: str, pretrained: str, tag: dict[str, Any]) -> Path:
    try:
        return Path(open_clip.download_pretrained(tag))
    except Exception as error:  # the hub's client raises a dozen unrelated types without a network
        raise ValueError(
            f"the weights {pretrained!r} of {backbone} could not be fetched ({type(error).__name__}): run"
            " once"
            " with a network, or fetch the file elsewhere and give its path as pretrained=, or use the"
            " backbone 'tiny'"
        ) from error


def _is_shipped(path: Path) -> bool:
    """Tell whether the file was written by `stan pretrain`, under this wrapper's names."""
    return path.suffix == ".safetensors" and checkpoint.kept_words(path) is not None


@contextmanager
def _wrong_weights(path: Path, name: str) -> Generator[None]:
    """Turn what loading raises into one ValueError that names the file."""
    try:
        yield
    except (RuntimeError, KeyError, OSError, ValueError, pickle.UnpicklingError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path} does not hold weights of {name} in open_clip's layout ({reason}): check that the file"
            " is complete"
            " and that the architecture is the one it was trained with"
        ) from error
