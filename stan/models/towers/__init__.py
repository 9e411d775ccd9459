"""open_clip's image tower in, the same weights as an `ImageTower` out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from stan.common.light import bring_back_timm
from stan.common.open_clip_import import prepare

prepare()

from open_clip.model import TimmModel  # noqa: E402
from open_clip.transformer import VisionTransformer  # noqa: E402

from stan.models.towers.base import ImageTower  # noqa: E402
from stan.models.towers.vit import OpenClipVit  # noqa: E402


def import_timm() -> None:
    """Import timm, which takes seconds, with the tiny networks; call it before open_clip builds one of timm's."""
    bring_back_timm()
    from stan.models.towers import tiny  # noqa: F401  # tells timm their names


def image_tower(visual: nn.Module) -> ImageTower:
    """Return open_clip's image tower as blocks over tokens. Its parts are taken over, not copied.

    Raises ValueError for a tower of another kind, naming it.
    """
    if isinstance(visual, VisionTransformer):
        return OpenClipVit(visual)
    if isinstance(visual, TimmModel) and type(visual.trunk).__name__ in (of_timm := _of_timm()):
        return of_timm[type(visual.trunk).__name__](visual)
    kind = type(visual.trunk if isinstance(visual, TimmModel) else visual).__name__
    raise ValueError(f"an image tower of the kind {kind} has no blocks over patches")


def _of_timm() -> dict[str, Callable[[Any], ImageTower]]:
    """Return towers by the name of timm's class. Only timm's own towers import it."""
    from stan.models.towers.stages import ConvNextTower, FastVitTower, SwinTower
    from stan.models.towers.timm_vit import TimmVit

    return {
        "VisionTransformer": TimmVit,
        "AveragingVit": TimmVit,
        "VisionTransformerRelPos": TimmVit,
        "Eva": TimmVit,
        "FastVit": FastVitTower,
        "ConvNeXt": ConvNextTower,
        "SwinTransformer": SwinTower,
    }
