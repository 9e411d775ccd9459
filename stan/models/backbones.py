"""Name of a backbone, or open_clip's model config, in; a CLIP with its weights out."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any

from stan.common.open_clip_import import prepare
from stan.common.paths import ASSETS
from stan.data.preprocessing import OPENAI, PixelSettings
from stan.models import local_folder, pixel_settings, weight_files
from stan.models.clip import Clip
from stan.models.hub import cached_alone_without_network
from stan.models.hugging_face_text import HuggingFaceText
from stan.models.tokenizer import CONTEXT, tokenizer_of
from stan.models.towers import import_timm
from stan.models.vocabulary import VOCABULARY

prepare()

import open_clip  # noqa: E402
from open_clip.coca_model import CoCa  # noqa: E402
from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME  # noqa: E402
from open_clip.model import CustomTextCLIP  # noqa: E402
from open_clip.pretrained import get_pretrained_cfg  # noqa: E402
from torch import nn  # noqa: E402

from stan.models.open_clip_weights import is_wrapped, load_into, load_wrapped, text_positions  # noqa: E402

SHIPPED = {
    "tiny": "tiny_clip",
    "tiny-siglip": "tiny_siglip",
    "tiny-eva": "tiny_eva",
    "tiny-averaging": "tiny_averaging",
}
"""Backbones whose weights ship, made by `stan pretrain`, and the name of their files."""
UNUSED_TEXT = {"context_length": 2, "vocab_size": 2, "width": 1, "heads": 1, "layers": 1}
"""open_clip always builds a text tower; this smallest one is thrown away."""
SIZES = {
    "embed_dim": 1 << 16,
    "width": 1 << 16,
    "layers": 1 << 10,
    "heads": 1 << 10,
    "image_size": 1 << 14,
    "patch_size": 1 << 14,
    "vocab_size": 1 << 24,
    "context_length": 1 << 16,
}
"""The largest sizes in a config that are no mistake; far larger ones would be built for hours."""
OF_SEVERAL = ("layers", "image_size", "patch_size")
"""Those that may be a list: of a residual network's stages, of height and width."""
OF_TUBELETS = ("tubelet", "frames_before")
"""Settings of an image tower that are ours, not open_clip's; see `ImageTower`."""
NOT_BUILT = (TypeError, LookupError, ArithmeticError, AssertionError, RuntimeError)
"""What open_clip, timm and torch raise for a config whose values don't go together."""
LOCAL = "local-dir:"
"""open_clip's prefix of a folder with a model, which may stand before one."""


def load_clip(backbone: str = "tiny", pretrained: str | None = None) -> Clip:
    """Return a CLIP by name.

    backbone: one of `SHIPPED`, an architecture of open_clip (`stan backbones` lists them), or a folder with an
        `open_clip_config.json`. Of a CoCa, only the two towers are kept, not the decoder that writes captions.
    pretrained: None for the shipped weights or those in the folder, `random`, an open_clip tag (`openai`), or a
        local file or folder in the layout of open_clip, of OpenAI or of Hugging Face. With a tag, the activation that
        the tag was trained with is used, whatever the name of the backbone says; with a file, what an
        `open_clip_config.json` or Hugging Face's `config.json` beside it says. For a lone file of OpenAI's weights,
        choose the `-quickgelu` architecture.

    Frames are prepared as the tag was trained; those of a local file as it says itself or as an `open_clip_config.json`
    or `preprocessor_config.json` beside it does, otherwise, and with random weights, as for all tags of the backbone
    if these agree, else as for OpenAI's CLIPs. A Hugging Face tokenizer is read from beside the weights or from the
    hub's local cache, once a text needs it.

    Raises ValueError for an unknown name, a residual network, and weights that cannot be fetched or read.
    """
    config, pixels, weights = _described(backbone, pretrained)
    return from_config(config, pixels, weights, backbone)


def architecture(backbone: str = "tiny", pretrained: str | None = None) -> dict[str, Any]:
    """Return open_clip's model config of what `load_clip` loads. Raises the same errors."""
    return _described(backbone, pretrained)[0]


def architectures() -> list[str]:
    """Return the names of open_clip's architectures."""
    return open_clip.list_models()


def tags(backbone: str) -> dict[str, dict[str, Any]]:
    """Return what open_clip says of each tag of an architecture: where its weights are, how they were trained."""
    return {
        tag: get_pretrained_cfg(backbone, tag) for tag in open_clip.list_pretrained_tags_by_model(backbone)
    }


def is_architecture(name: str) -> bool:
    """Tell whether this is the name of an architecture rather than a folder."""
    return name in SHIPPED or name in architectures()


def closest(name: str) -> str:
    """Return the names of architectures that a wrong name may have meant."""
    return ", ".join(difflib.get_close_matches(name, [*architectures(), *SHIPPED], 5, 0.4)) or "none"


def _described(backbone: str, pretrained: str | None) -> tuple[dict[str, Any], PixelSettings, Path | None]:
    """Return a CLIP's model config, how it reads pixels, and the file of its weights (None: random)."""
    config, weights = _architecture(backbone), None
    pixels = pixel_settings.shared(tags(backbone).values())
    if (local := local_weights(backbone, pretrained)) is not None:
        weights = weight_files.in_folder(local)
        local_folder.tell(config, weights)
        _tell_context(config["text_cfg"], weights, backbone)
        pixels = pixel_settings.of_file(weights) or pixels
    elif pretrained is None:
        raise ValueError(
            f"{backbone} needs pretrained=: one of {', '.join(tags(backbone))}; a local file; or 'random'"
        )
    elif pretrained != "random":
        tag = _tag(backbone, pretrained)
        config["quick_gelu"] = tag.get("quick_gelu", config.get("quick_gelu", False))
        pixels = pixel_settings.told(tag)
        _refuse_unsupported(config, backbone)  # before weights are fetched in vain
        weights = _fetch(backbone, pretrained, tag)
    return config, pixels, weights


def local_weights(backbone: str, pretrained: str | None) -> Path | None:
    """Return the file or folder of weights that lies on this machine; None for a tag and for random weights."""
    if pretrained is None and backbone in SHIPPED:
        return _present(backbone)
    if pretrained is None:
        return None if is_architecture(backbone) else _folder(backbone)
    named = pretrained == "random" or get_pretrained_cfg(backbone, pretrained)
    # unlike Path.exists, os.path's takes a name that is longer than the system's
    return Path(pretrained) if not named and os.path.exists(pretrained) else None


def _tell_context(text: dict[str, Any] | None, weights: Path, backbone: str) -> None:
    """Set the number of tokens that open_clip's own text tower reads, in place, to what its weights hold.

    Raises ValueError for weights with a text tower of a model without one.
    """
    if text is not None and text.get("hf_model_name"):
        return
    positions = text_positions(weights, backbone)
    if text is None and positions is not None:
        raise ValueError(
            f"{weights} holds a text tower, and {backbone} has none: write its sizes as text_cfg into"
            f" {local_folder.CONFIG}, where that is null"
        )
    if text is not None and positions is not None:
        text["context_length"] = positions - text.get("embed_cls", False)  # a CLS has the last position


def _folder(backbone: str) -> Path:
    return Path(backbone.removeprefix(LOCAL))


def shipped_weights(backbone: str) -> Path:
    """Return the file of a shipped backbone's weights."""
    return ASSETS / "weights" / f"{SHIPPED[backbone]}.safetensors"


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
    _refuse_sizes(config, name)
    tokenizer = tokenizer_of(config["text_cfg"], None if weights is None else weights.parent)
    try:
        model = _random(config)
    except NOT_BUILT as error:
        raise ValueError(f"{name}: open_clip builds no model from its config ({error!r})") from error
    wrapped = weights is not None and is_wrapped(weights)
    if weights is not None and not wrapped:
        load_into(model, weights, name)
    clip = Clip(model, pixels, tokenizer)
    clip.visual.tubelet, clip.visual.frames_before = _tubelet(config["vision_cfg"])
    if weights is not None and wrapped:
        load_wrapped(clip, weights, name)
    return clip


def _random(config: dict[str, Any]) -> CustomTextCLIP | CoCa:
    """Return open_clip's model with random weights.

    Its image tower returns the embedding alone. Its text tower also returns the tokens if it reads captions at a CLS.
    """
    config = {key: value for key, value in config.items() if key != "custom_text"}
    vision, text = config["vision_cfg"], config["text_cfg"]
    if "timm_model_name" in vision:
        import_timm()
    own = text is not None and not text.get("hf_model_name")
    config["vision_cfg"] = {key: vision[key] for key in vision if key not in OF_TUBELETS}
    config["vision_cfg"]["output_tokens"] = False
    if own:
        config["text_cfg"] = text | {"output_tokens": text.get("embed_cls", False)}
    else:  # a CoCa's decoder takes its vocabulary from here
        config["text_cfg"] = UNUSED_TEXT | ({} if text is None else {"vocab_size": VOCABULARY})
    model = (CoCa if "multimodal_cfg" in config else CustomTextCLIP)(**config)
    if (frames := sum(_tubelet(vision))) > 1:
        model.visual.conv1 = _of_frames(model.visual.conv1, frames)
    if not own:
        model.text = None if text is None else _hugging_face_text(text, config["embed_dim"])
    return model


def _tubelet(vision: dict[str, Any]) -> tuple[int, int]:
    """Return how many frames are embedded together, and how many before them the embedding also reads."""
    return vision.get("tubelet", 1), vision.get("frames_before", 0)


def _of_frames(patches: nn.Conv2d, frames: int) -> nn.Conv2d:
    """Return a patch embedding, drawn anew, that reads so many frames at once, as channels of one picture."""
    size = patches.weight.shape[-1]
    return nn.Conv2d(3 * frames, patches.out_channels, size, size, bias=patches.bias is not None)


def _hugging_face_text(text: dict[str, Any], embed_dim: int) -> HuggingFaceText:
    """Return the text tower, with open_clip's defaults for what its config leaves out."""
    pooler, projection = text.get("hf_pooler_type", "mean_pooler"), text.get("hf_proj_type", "mlp")
    length = text.get("context_length", CONTEXT)
    return HuggingFaceText(text["hf_model_name"], embed_dim, pooler, projection, length)


def _architecture(backbone: str) -> dict[str, Any]:
    if backbone in SHIPPED:
        return json.loads((ASSETS / "models" / f"{SHIPPED[backbone]}.json").read_text())
    if not is_architecture(backbone):
        if os.path.isdir(folder := _folder(backbone)) or backbone.startswith(LOCAL):
            return local_folder.architecture(folder)
        raise ValueError(
            f"backbone {backbone!r} is neither shipped ({', '.join(SHIPPED)}) nor known to open_clip nor a folder of"
            " weights; close:"
            f" {closest(backbone)}"
        )
    config = open_clip.get_model_config(backbone)
    assert config is not None, "open_clip lists it"
    return config


def _refuse_sizes(config: dict[str, Any], name: str) -> None:
    """Raise ValueError, naming it, for a size that no tower has, and for a token beyond the vocabulary's size."""
    sizes = [("embed_dim", config["embed_dim"])]
    sizes += [size for tower in ("vision_cfg", "text_cfg") for size in (config[tower] or {}).items()]
    for size, value in sizes:
        several = size in OF_SEVERAL and isinstance(value, list | tuple) and value
        for one in value if several else [value]:
            if size in SIZES and not (isinstance(one, int) and 0 < one <= SIZES[size]):
                raise ValueError(f"{name}: {size} is {one!r:.80}; it must be from 1 to {SIZES[size]}")
    text = config["text_cfg"] or {}
    last = text.get("vocab_size", VOCABULARY) - 1
    for token in ("pad_id", "eos_id"):
        if not 0 <= text.get(token, 0) <= last:
            raise ValueError(f"{name}: {token} is {text[token]}; this vocabulary's ids are from 0 to {last}")


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
        known = ", ".join(tags(backbone)) or "none"
        raise ValueError(f"pretrained {pretrained!r} is no file and no tag of {backbone} (its tags: {known})")
    return tag


def _present(backbone: str) -> Path:
    path = shipped_weights(backbone)
    if not path.is_file():
        raise ValueError(
            f"the weights of {backbone} are missing at {path} (a wheel holds only the tiny CLIP's): make them with"
            f" `stan pretrain --backbone {backbone} --out {path}`, or take them from the repository"
        )
    return path


def _fetch(backbone: str, pretrained: str, tag: dict[str, Any]) -> Path:
    try:
        with cached_alone_without_network():
            return Path(open_clip.download_pretrained(tag))
    except Exception as error:  # the hub's client raises a dozen unrelated types without a network
        repository, files = source(tag)
        raise ValueError(
            f"the weights {pretrained!r} of {backbone} are not here and could not be fetched ({type(error).__name__}):"
            f" fetch {' or '.join(files)} of the repository {repository} where there is a network, and name the file:"
            f" clip:{backbone}/FILE as a model, --backbone {backbone} --pretrained FILE in training"
        ) from error


def source(tag: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the repository of a tag's weights on Hugging Face's hub, and the files in it of which one is enough."""
    repository, file = os.path.split(tag["hf_hub"])
    return repository, [file] if file else [HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME]
