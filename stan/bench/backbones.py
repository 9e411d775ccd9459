"""open_clip's architectures in; what each has and costs, its tags, and which of their weights are here, out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache

from stan.bench import flops
from stan.common.files import write_json
from stan.common.paths import ASSETS
from stan.common.tensors import numel
from stan.models.backbones import architecture, architectures, image_tower, load_clip, source, tags
from stan.models.clip import Clip

COUNTS = ASSETS / "backbones.json"
"""What `count` says of every architecture: counting all of them takes a minute or two."""
NOT_STATED = "not stated by open_clip"
"""open_clip's package holds neither licences of weights nor what they reach without training."""


def backbones(names: Sequence[str] = (), supported: bool = False, cached: bool = False) -> dict[str, Any]:
    """Return {"open_clip", "architectures": [...]}, in open_clip's order.

    names: architectures, or parts or patterns of their names; none for all. supported: without those that are refused.
    cached: only those of which weights are in the local cache. An architecture: {"name", "refused" (None or why),
    "image_size", "params_image", "params_text", "gmacs_frame", "gmacs_caption" (each by convention, of
    `stan.bench.flops`; None where refused), "tower", "tags"}. A tag: {"tag", "model" (the name for `load_model`),
    "repository", "files" (one of them is enough), "licence", "zero_shot", "cached" (a path or None)}.
    Raises ValueError for names that match nothing.
    """
    chosen = [name for name in architectures() if not names or _asked(name, names)]
    if not chosen:
        raise ValueError(
            f"no architecture of open_clip is called {', '.join(names)} or has that in its name;"
            " `stan backbones` lists all"
        )
    found: list[dict[str, Any]] = [
        {"name": name} | _counted(name) | {"tags": list(_tags(name))} for name in chosen
    ]
    kept = [
        one
        for one in found
        if not (supported and one["refused"]) and (not cached or any(tag["cached"] for tag in one["tags"]))
    ]
    return {"open_clip": version("open_clip_torch"), "architectures": kept}


def _asked(name: str, names: Sequence[str]) -> bool:
    if any(name == one for one in names):
        return True
    exact = set(architectures())
    parts = [one.lower() for one in names if one not in exact]
    return any(part in name.lower() or fnmatch(name.lower(), part) for part in parts)


def _counted(name: str) -> dict[str, Any]:
    """Return the shipped counts or, for an architecture that a newer open_clip brings, new ones."""
    return _shipped().get(name) or count(name)


@cache
def _shipped() -> dict[str, Any]:
    return json.loads(COUNTS.read_text(encoding="utf-8"))


def _tags(name: str) -> Iterator[dict[str, Any]]:
    for tag, told in tags(name).items():
        repository, files = source(told)
        yield {
            "tag": tag,
            "model": f"clip:{name}/{tag}",
            "repository": repository,
            "files": files,
            "licence": None,
            "zero_shot": None,
            "cached": _in_cache(repository, files),
        }


def _in_cache(repository: str, files: list[str]) -> str | None:
    found = (try_to_load_from_cache(repository, file) for file in files)
    return next((path for path in found if isinstance(path, str)), None)


def count(name: str) -> dict[str, Any]:
    """Build an architecture without values and return what `backbones` says of it, apart from its tags."""
    try:
        with torch.device("meta"):
            clip = load_clip(name, "random").eval()
    except ValueError as error:
        return _refused(name, str(error))
    macs = flops.of_towers(clip, 1)
    return {
        "refused": None,
        "image_size": clip.image_size,
        "params_image": numel(clip.visual.parameters()),
        "params_text": numel(clip.text.parameters()),
        "gmacs_frame": _rounded(macs["image"]),
        "gmacs_caption": _rounded(macs["text"]),
        "tower": _tower(clip),
    }


def _refused(name: str, reason: str) -> dict[str, Any]:
    with torch.device("meta"):
        parameters = numel(image_tower(name).parameters())
    unknown = dict.fromkeys(("params_text", "gmacs_frame", "gmacs_caption", "tower"))
    size = architecture(name, "random")["vision_cfg"]["image_size"]
    return {"refused": reason, "image_size": size, "params_image": parameters} | unknown


def _tower(clip: Clip) -> dict[str, Any]:
    return {
        "kind": type(clip.visual).__name__,
        "prefix": clip.prefix,
        "grid": list(clip.grid),
        "width": clip.width,
        "blocks": clip.layers,
        "embedding": clip.embed_dim,
        "context_length": clip.context_length,
    }


def _rounded(macs: flops.Macs) -> dict[str, float]:
    return {convention: round(number / 1e9, 3) for convention, number in macs.items()}


def write_counts(path: Path = COUNTS) -> None:
    """Count every architecture of the installed open_clip and keep the counts."""
    write_json(path, {name: count(name) for name in architectures()})
