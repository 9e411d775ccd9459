"""Folders of rivals' reference outputs in, the largest difference of each of our outputs from them out.

One module per source says how its outputs are reproduced; `RIVALS` lists them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from stan.bench.parity import centerclip, clip2video, clip4clip, drl, efficient_prompt, mug
from stan.bench.parity.golden import CHECKPOINT, Difference, Golden, Rival, read

RIVALS: dict[str, Rival] = {
    "centerclip": centerclip.CENTER_CLIP,
    "clip2video": clip2video.CLIP2VIDEO,
    "clip4clip": clip4clip.CLIP4CLIP,
    "drl": drl.DRL,
    "efficient_prompt": efficient_prompt.EFFICIENT_PROMPT,
    "mug_heads": mug.MUG,
}
"""How a set is reproduced, by the beginning of its folder's name."""
TOLERANCE = 1e-5
"""Largest difference, as a share of an output's largest value, at which two outputs count as equal."""


def parity(folder: str | Path) -> list[Difference]:
    """Compare every set in a folder of sets, or the one set that the folder is, with what our methods give.

    Raises ValueError for a folder without sets, a set of no known rival, and an output that is neither reproduced nor
    named as left out.
    """
    folder = Path(folder)
    sets = (
        [folder]
        if (folder / CHECKPOINT).is_file()
        else sorted(p.parent for p in folder.glob(f"*/{CHECKPOINT}"))
    )
    if not sets:
        raise ValueError(f"{folder} holds no reference outputs: expected folders with {CHECKPOINT}")
    return [difference for one in sets for difference in differences(read(one))]


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
        largest = math.nan if reason else _largest(ours[name], theirs)
        yield Difference(golden.name, name, largest, float(theirs.double().abs().max()), reason)


def rival_of(name: str) -> Rival:
    """Return the rival whose set is called `name`. Raises ValueError if there is none, listing those that are known."""
    found = [known for known in RIVALS if name.startswith(known)]
    if not found:
        raise ValueError(
            f"the set {name} is of no known rival: its folder's name begins with one of {', '.join(RIVALS)}"
        )
    return RIVALS[max(found, key=len)]


def _largest(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest absolute difference; infinite for other shapes, so that no broadcast hides one."""
    if ours.shape != theirs.shape:
        return math.inf
    difference = (ours.double() - theirs.double()).abs()
    return float("inf") if difference.isnan().any() else float(difference.max())
