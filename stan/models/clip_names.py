"""The name of a bare CLIP in, such as `clip:ViT-B-16-SigLIP2/webli`; its architecture and its weights out.

`clip:ARCHITECTURE/TAG` is open_clip's tag, `clip:ARCHITECTURE/PATH` a file or folder of weights (`clip:ViT-B-16/a.pt`;
`clip:ViT-B-16//data/a.pt` for the path /data/a.pt), `clip:FOLDER` a folder with an `open_clip_config.json`.
"""

from __future__ import annotations

import os
from pathlib import Path

from stan.models.backbones import closest, is_architecture, local_weights

PREFIX = "clip:"


def split(name: str) -> tuple[str, str | None]:
    """Return what `load_clip` takes: the architecture or the folder, and the weights.

    Raises ValueError for what is neither.
    """
    rest = name.removeprefix(PREFIX)
    architecture, _, weights = rest.partition("/")
    if is_architecture(architecture):
        return architecture, weights or None
    if os.path.isdir(rest):  # unlike Path.is_dir, it takes a name that is longer than the system's
        return rest, None
    raise ValueError(
        f"{name}: {architecture!r} is no architecture (`stan backbones` lists them; close: {closest(architecture)}),"
        f" and {rest!r} is no folder of weights"
    )


def anywhere(name: str) -> str:
    """Return the name with which a model is found from any working directory: paths that exist are made full."""
    if not name.startswith(PREFIX):
        return str(Path(name).resolve()) if os.path.exists(name) else name
    architecture, weights = split(name)
    local = local_weights(architecture, weights)
    if local is None or (weights is None and is_architecture(architecture)):
        return name
    return PREFIX + ("" if weights is None else f"{architecture}/") + str(local.resolve())
