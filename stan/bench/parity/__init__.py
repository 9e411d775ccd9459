"""Folders of rivals' reference outputs in, the largest difference of each of our outputs from them out.

One module per source says how its outputs are reproduced; `RIVALS` lists them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from torch import Tensor

from stan.bench.parity import (
    actionclip,
    aim,
    all_in_one,
    centerclip,
    clip2video,
    clip4clip,
    drl,
    efficient_prompt,
    evl,
    frame_transformers,
    mug,
    space_time,
    st_adapter,
    stan,
    uniformer_v2,
    x_clip,
    x_pool,
)
from stan.bench.parity.golden import CHECKPOINT, Difference, Golden, Rival, read

RIVALS: dict[str, Rival] = {
    "clip4clip": clip4clip.RIVAL,
    "drl": drl.RIVAL,
    "x_pool": x_pool.RIVAL,
    "clip2video": clip2video.RIVAL,
    "centerclip": centerclip.RIVAL,
    "efficient_prompt": efficient_prompt.RIVAL,
    "mug_heads": mug.RIVAL,
    "x_clip": x_clip.RIVAL,
    "actionclip": actionclip.RIVAL,
    "text4vis": actionclip.TEXT4VIS,
    "bike": actionclip.BIKE,
    "st_adapter": st_adapter.RIVAL,
    "aim": aim.RIVAL,
    "evl": evl.RIVAL,
    "uniformer_v2": uniformer_v2.RIVAL,
    "intern_video": uniformer_v2.INTERN_VIDEO,
    "timesformer": space_time.TIMESFORMER,
    "motionformer": space_time.MOTIONFORMER,
    "language_bind": space_time.LANGUAGE_BIND,
    "viclip": space_time.VICLIP,
    "video_clip_xl": space_time.VIDEO_CLIP_XL,
    "clip_vip": space_time.CLIP_VIP,
    "open_vclip": space_time.OPEN_VCLIP,
    "frozen_in_time": space_time.FROZEN_IN_TIME,
    "bridge_former": space_time.BRIDGE_FORMER,
    "all_in_one": all_in_one.RIVAL,
    "vtn": frame_transformers.VTN,
    "vivit": frame_transformers.VIVIT,
    "token_learner": space_time.TOKEN_LEARNER,
    "stan_first": stan.FIRST,
    "stan_released": stan.RELEASED,
}
"""How a set is reproduced, by a part of its folder's name."""
TOLERANCE = 1e-5
"""Largest difference, as a share of an output's largest value, at which two outputs count as equal."""


def report(found: list[Difference]) -> dict[str, Any]:
    """Return one document of all differences, by set.

    The result: {"ok": whether all outputs are equal or left out, "tolerance", "sets": [{"set", "method", "outputs",
    "equal", "left_out", "largest" (relative), "at": the output that differs most, "differences": [{"output",
    "largest", "scale", "relative", "reason"}]}]}.
    """
    sets = [_of_set(name, list(group)) for name, group in groupby(found, key=lambda one: one.set)]
    ok = all(one["equal"] + one["left_out"] == one["outputs"] for one in sets)
    return {"ok": ok, "tolerance": TOLERANCE, "sets": sets}


def _of_set(name: str, found: list[Difference]) -> dict[str, Any]:
    compared = [one for one in found if not one.reason]
    worst = max(compared, key=lambda one: one.relative)
    return {
        "set": name,
        "method": rival_of(name).words,
        "outputs": len(found),
        "equal": sum(one.relative <= TOLERANCE for one in compared),
        "left_out": len(found) - len(compared),
        "largest": worst.relative,
        "at": worst.output,
        "differences": [one.document() for one in found],
    }


def parity(folder: str | Path) -> list[Difference]:
    """Compare every set at or below a folder with what our methods give.

    Raises ValueError for a folder without sets, a set of no known rival, and an output that is neither reproduced nor
    named as left out.
    """
    return [difference for one in sets(folder) for difference in differences(read(one))]


def sets(folder: str | Path) -> list[Path]:
    """Return the folders of the sets at or below a folder. Raises ValueError if there are none."""
    found = sorted(
        {checkpoint.parent for checkpoint in Path(folder).rglob(CHECKPOINT)}, key=lambda one: one.name
    )
    if not found:
        raise ValueError(f"{folder} holds no reference outputs: expected folders with {CHECKPOINT}")
    return found


def differences(golden: Golden) -> Iterator[Difference]:
    """Yield the differences of one set, output by output. Raises the errors of `parity`."""
    rival = rival_of(golden.name)
    ours = rival.outputs(golden)
    for name, theirs in golden.io.items():
        if name in rival.inputs:
            continue
        reason = next(
            (why for pattern, why in rival.not_reproduced.items() if re.fullmatch(pattern, name)), ""
        )
        if not reason and name not in ours:
            raise ValueError(f"{golden.name}: nothing reproduces the output {name}")
        if name in rival.padded:
            theirs = theirs[:, : ours[name].shape[1]]
        largest = math.nan if reason else _largest(ours[name], theirs)
        yield Difference(golden.name, name, largest, float(theirs.double().abs().max()), reason)


def rival_of(name: str) -> Rival:
    """Return the rival whose set is called `name`. Raises ValueError if there is none, listing those that are known."""
    found = [known for known in RIVALS if known in name]
    if not found:
        raise ValueError(
            f"the set {name} is of no known rival: its folder's name has one of {', '.join(RIVALS)}"
        )
    return RIVALS[max(found, key=len)]


def _largest(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest absolute difference; infinite for other shapes, so that no broadcast hides one."""
    if ours.shape != theirs.shape:
        return math.inf
    difference = (ours.double() - theirs.double()).abs()
    return float("inf") if difference.isnan().any() else float(difference.max())
