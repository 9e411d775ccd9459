"""open_clip's image tower in, the same weights as an `ImageTower` out."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from stan.common.open_clip_import import prepare

prepare()

from open_clip.timm_model import TimmModel  # noqa: E402
from open_clip.transformer import VisionTransformer  # noqa: E402

from stan.models.towers import tiny  # noqa: E402, F401  # tells timm their names
from stan.models.towers.base import ImageTower  # noqa: E402
from stan.models.towers.stages import ConvNextTower, FastVitTower, SwinTower  # noqa: E402
from stan.models.towers.timm_vit import TimmVit  # noqa: E402
from stan.models.towers.vit import OpenClipVit  # noqa: E402

OF_TIMM: dict[str, Callable[[TimmModel], ImageTower]] = {
    "VisionTransformer": TimmVit,
    "VisionTransformerRelPos": TimmVit,
    "Eva": TimmVit,
    "FastVit": FastVitTower,
    "ConvNeXt": ConvNextTower,
    "SwinTransformer": SwinTower,
}
"""Towers by the name of timm's class."""


def image_tower(visual: nn.Module) -> ImageTower:
    """Return open_clip's image tower as blocks over tokens. Its parts are taken over, not copied.

    Raises ValueError for a tower of another kind, naming it.
    """
    if isinstance(visual, VisionTransformer):
        return OpenClipVit(visual)
    if isinstance(visual, TimmModel) and type(visual.trunk).__name__ in OF_TIMM:
        return OF_TIMM[type(visual.trunk).__name__](visual)
    kind = type(visual.trunk if isinstance(visual, TimmModel) else visual).__name__
    raise ValueError(f"an image tower of the kind {kind} has no blocks over patches")
