"""Tensors under other code's names in, the same tensors under our names and the design they imply out.

One module per source; `LAYOUTS` lists them. `clip` and `vit` also hold what many of them share. Names tell them apart,
but for Open-VCLIP's and BridgeFormer's, which are CLIP's own, and BIKE's, which are ActionCLIP's: the settings beside
the file name them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from stan.models.layouts import (
    actionclip,
    aim,
    all_in_one,
    centerclip,
    clip,
    clip2video,
    clip4clip,
    clip_vip,
    drl,
    efficient_prompt,
    evl,
    frozen_in_time,
    huggingface_vivit,
    language_bind,
    motionformer,
    open_vclip,
    scenic,
    st_adapter,
    stan,
    timesformer,
    uniformer_v2,
    viclip,
    vifi_clip,
    vtn,
    x_clip,
    x_pool,
)
from stan.models.layouts.last_read import LastRead
from stan.models.layouts.names import Layout, State, listed

__all__ = ["LAYOUTS", "Converted", "Layout", "convert", "listed", "recognise"]

LAYOUTS: dict[str, Layout] = {
    "first_stan": stan.FIRST,
    "timesformer": timesformer.TIMESFORMER,
    "huggingface_timesformer": timesformer.HUGGINGFACE_TIMESFORMER,
    "huggingface_vivit": huggingface_vivit.HUGGINGFACE_VIVIT,
    "bridge_former": frozen_in_time.BRIDGE_FORMER,
    "frozen_in_time": frozen_in_time.FROZEN_IN_TIME,
    "motionformer": motionformer.MOTIONFORMER,
    "vtn": vtn.VTN,
    "all_in_one": all_in_one.ALL_IN_ONE,
    "token_learner": scenic.TOKEN_LEARNER,
    "vivit": scenic.VIVIT,
    "viclip": viclip.VICLIP,
    "video_clip_xl": viclip.VIDEO_CLIP_XL,
    "language_bind": language_bind.LANGUAGE_BIND,
    "clip_vip": clip_vip.CLIP_VIP,
    "vifi_clip": vifi_clip.VIFI_CLIP,
    "x_clip": x_clip.RELEASED,
    "huggingface_x_clip": x_clip.HUGGINGFACE,
    "bike": actionclip.BIKE,
    "actionclip": actionclip.TRANSFORMER,
    "text4vis": actionclip.TEXT4VIS,
    "actionclip_conv_1d": actionclip.CONVOLUTION,
    "actionclip_tsm": actionclip.SHIFT,
    "actionclip_mean": actionclip.MEAN,
    "st_adapter": st_adapter.RELEASED,
    "aim": aim.RELEASED,
    "evl": evl.RELEASED,
    "uniformer_v2": uniformer_v2.UNIFORMER_V2,
    "intern_video": uniformer_v2.INTERN_VIDEO,
    "x_pool": x_pool.X_POOL,
    "clip2video": clip2video.DIFFERENCE_AND_ALIGNMENT,
    "drl": drl.WEIGHTED,
    "clip4clip_tight": clip4clip.TIGHT,
    "clip4clip_sequence": clip4clip.SEQUENCE,
    "center_clip": centerclip.CENTER_CLIP,
    "clip4clip": clip4clip.MEAN_POOLING,
    "efficient_prompt": efficient_prompt.EFFICIENT_PROMPT,
    "released_weighing": stan.WEIGHING,
    "released": stan.RELEASED,
    "huggingface": clip.HUGGINGFACE,
    "open_clip": clip.OPEN_CLIP,
    "long_clip": clip.LONG,
    "open_vclip": open_vclip.OPEN_VCLIP,
    "bridge_former_clip": frozen_in_time.BRIDGE_FORMER_CLIP,
    "openai": clip.OPENAI,
}
"""All layouts by name. A file's layout is the first that holds its names: what extends another one stands before it."""


OF_SHAPES = (RuntimeError, IndexError, TypeError, ZeroDivisionError)
"""What torch, einops and arithmetic raise where a tensor has another shape."""


class Converted(NamedTuple):
    """A file's layout, its tensors under our names, the design they imply, and the names left out with the reasons."""

    layout: Layout
    state: State
    design: dict[str, Any]
    left_out: dict[str, str]


def recognise(keys: Iterable[str], told: Mapping[str, Any]) -> Layout:
    """Return the first layout with these names that the settings beside the file allow.

    Raises ValueError if the names belong to none.
    """
    keys = list(keys)
    found = next((one for one in LAYOUTS.values() if one.holds(keys) and one.told(told)), None)
    if found is None:
        known = "; ".join(layout.words for layout in LAYOUTS.values())
        raise ValueError(f"names like {', '.join(sorted(keys)[:3])} are of no layout known here: {known}")
    return found


def convert(state: Mapping[str, Tensor], told: Mapping[str, Any]) -> Converted:
    """Return a state dict of any layout under our names.

    told: settings that no weight shows, from a config.json beside the file. Raises ValueError for an unknown layout,
    and for names without a counterpart, parts that are missing and tensors of an impossible shape, naming them.
    """
    layout, last = recognise(state, told), LastRead(state)
    try:
        with last:
            ours, left_out = layout.renamed(state)
            return Converted(layout, ours, layout.design(ours, told), left_out)
    except OF_SHAPES as error:
        found = listed([f"{name} {tuple(state[name].shape)}" for name in last.names])
        raise ValueError(
            f"has another shape of {found} than {layout.words}: it belongs to another model"
        ) from error
