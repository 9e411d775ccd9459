"""A training clip's frames and a generator in; the same clip cropped and recoloured as a recipe asks, out.

One draw holds for all frames of a clip, also where a source draws anew for every frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import ModuleType

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from stan.common.torchvision_compat import declare

Box = tuple[int, int, int, int]
"""Top, left, height, width."""

Crop = Callable[[int, int, np.random.Generator], Box]
"""Height and width of a frame and a generator in, the box of a crop out."""

Clip = UInt8[Tensor, "T 3 H W"]

CROP_SCALE = (0.08, 1.0)
"""Smallest and largest share of a frame's area that a training crop covers, as released."""

RATIO = (3 / 4, 4 / 3)
"""Least and greatest width over height of a training crop before it is resized; torchvision's default."""

SIDES = (1, 0.875, 0.75, 0.66)
"""Sides of X-CLIP's and ActionCLIP's crops, as shares of a frame's short side."""

CORNERS_AND_CENTRE = ((0, 0), (4, 0), (0, 4), (4, 4), (2, 2))
"""Where X-CLIP's crops lie, in quarters of the room around them."""

THIRTEEN_PLACES = (*CORNERS_AND_CENTRE, (0, 2), (4, 2), (2, 4), (2, 0), (1, 1), (3, 1), (1, 3), (3, 3))
"""Where ActionCLIP's crops lie."""

COLOURS = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1}
"""How far X-CLIP and ActionCLIP move colours."""

COLOURED, GRAY = 0.8, 0.2
"""Share of clips whose colours they move, and of clips that they and BIKE make gray."""

MAGNITUDES = 30
"""RandAugment's highest magnitude."""


def random_box(
    height: int, width: int, rng: np.random.Generator, scale: tuple[float, float] = CROP_SCALE
) -> Box:
    """Return a crop, drawn as torchvision's RandomResizedCrop draws it."""
    for _ in range(10):
        area = height * width * rng.uniform(*scale)
        ratio = np.exp(rng.uniform(*np.log(RATIO)))
        w, h = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w
    # No such crop fits a very long picture: take the largest central crop of an allowed shape.
    w, h = min(width, round(height * RATIO[1])), min(height, round(width / RATIO[0]))
    return (height - h) // 2, (width - w) // 2, h, w


def central_box(height: int, width: int, rng: np.random.Generator) -> Box:
    """Return the largest square in the middle, as in testing: only the choice of frames is random."""
    side = min(height, width)
    return (height - side) // 2, (width - side) // 2, side, side


def square_box(height: int, width: int, rng: np.random.Generator, enlarged: tuple[float, float]) -> Box:
    """Return the square that a crop of fixed size covers, if the frame is first enlarged by a random factor."""
    side = max(1, round(min(height, width) / rng.uniform(*enlarged)))
    return int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1)), side, side


def multi_scale_box(
    height: int, width: int, rng: np.random.Generator, places: tuple[tuple[int, int], ...]
) -> Box:
    """Return a crop whose sides are neighbours among SIDES, at one of the fixed places (TSN's multi-scale crop)."""
    sides = [max(1, int(min(height, width) * share)) for share in SIDES]
    shapes = [(h, w) for i, h in enumerate(sides) for k, w in enumerate(sides) if abs(i - k) <= 1]
    h, w = shapes[rng.integers(len(shapes))]
    down, right = places[rng.integers(len(places))]
    return down * ((height - h) // 4), right * ((width - w) // 4), h, w


@dataclass(frozen=True)
class Augmentation:
    """What is drawn for a training clip, beside its frames."""

    crop: Crop = random_box
    """Draws the box that is then resized."""
    flip: bool = False
    """Mirror half of the clips. Where left and right have a meaning, no clip may be mirrored."""
    colours: bool = False
    """Move the colours of most clips."""
    gray: bool = False
    """Make some clips gray."""
    operations: int = 0
    """Number of RandAugment's operations on each clip."""
    magnitude: int = 0
    """Their magnitude, 0 to 30."""

    def __call__(
        self, frames: UInt8[np.ndarray, "T S S 3"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "T S S 3"]:
        """Return the cropped and resized clip, mirrored and recoloured."""
        if self.flip and rng.random() < 0.5:
            frames = frames[:, :, ::-1]
        if not (self.operations or self.colours or self.gray):
            return frames
        clip = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
        clip = rand_augment(clip, rng, self.operations, self.magnitude)
        if self.colours:
            clip = colour_jitter(clip, rng)
        if self.gray:
            clip = gray(clip, rng)
        return clip.permute(0, 2, 3, 1).numpy()


_X_CLIP = Augmentation(
    partial(multi_scale_box, places=CORNERS_AND_CENTRE), flip=True, colours=True, gray=True
)
_ACTIONCLIP = replace(
    _X_CLIP, crop=partial(multi_scale_box, places=THIRTEEN_PLACES), operations=2, magnitude=9
)
_HALF_OR_MORE = Augmentation(partial(random_box, scale=(0.5, 1.0)), flip=True)
_EVL = Augmentation(partial(random_box, scale=(0.08, 1.0)), operations=4, magnitude=21)
_TIMESFORMER = Augmentation(partial(square_box, enlarged=(256 / 224, 320 / 224)))

AUGMENTATIONS: dict[str, Augmentation | None] = {
    "none": None,
    "crop": Augmentation(),
    "crop+flip": Augmentation(flip=True),
    "x_clip": _X_CLIP,
    "actionclip": _ACTIONCLIP,
    "vifi_clip": _X_CLIP,
    "bike": Augmentation(flip=True, gray=True),
    "text4vis": Augmentation(flip=True, gray=True, operations=2, magnitude=9),
    "st_adapter": Augmentation(partial(square_box, enlarged=(1, 1.15)), flip=True),
    "open_vclip": Augmentation(partial(square_box, enlarged=(1, 256 / 224)), flip=True),
    "st_adapter-something": Augmentation(operations=4, magnitude=21),
    "aim-something": Augmentation(operations=4, magnitude=7),
    "evl": _EVL,
    "uniformer_v2": replace(_EVL, flip=True),
    "uniformer_v2-something": _EVL,
    "timesformer": replace(_TIMESFORMER, flip=True),
    "timesformer-something": _TIMESFORMER,
    "motionformer-something": replace(_TIMESFORMER, operations=2, magnitude=20),
    "vivit": Augmentation(partial(square_box, enlarged=(0.9 * 256 / 224, 1.33 * 256 / 224)), flip=True),
    "frozen_in_time": _HALF_OR_MORE,
    "x_pool": _HALF_OR_MORE,
    "viclip": _HALF_OR_MORE,
    "clip_vip": Augmentation(central_box),
    "language_bind": Augmentation(partial(square_box, enlarged=(1, 1)), flip=True),
}
"""Augmentations by name; those named after a method are the ones that its authors released. ST-Adapter, EVL
and UniFormerV2 count magnitudes to 10, so their 7 is 21 here."""


def colour_jitter(clip: Clip, rng: np.random.Generator) -> Clip:
    """Return most clips with brightness, contrast, saturation and hue changed, one after another in random order."""
    if rng.random() >= COLOURED:
        return clip
    functional = _functional()
    for name in rng.permutation(list(COLOURS)):
        amount = rng.uniform(-COLOURS[name], COLOURS[name])
        change = getattr(functional, f"adjust_{name}")
        clip = change(clip, amount if name == "hue" else 1 + amount)
    return clip


def gray(clip: Clip, rng: np.random.Generator) -> Clip:
    """Return some clips without colours."""
    return _functional().rgb_to_grayscale(clip, 3) if rng.random() < GRAY else clip


def rand_augment(clip: Clip, rng: np.random.Generator, operations: int, magnitude: int) -> Clip:
    """Return the clip after `operations` random changes (RandAugment): torchvision's 14 kinds and strengths.

    magnitude: 0 to 30.
    """
    for _ in range(operations):
        kind = OPERATIONS[rng.integers(len(OPERATIONS))]
        sign = 1 if rng.random() < 0.5 else -1
        clip = operation(clip, kind, magnitude / MAGNITUDES, sign)
    return clip


OPERATIONS = (
    *("identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate", "brightness", "saturation"),
    *("contrast", "sharpness", "posterize", "solarize", "autocontrast", "equalize"),
)
"""RandAugment's changes; saturation is called Color there."""


def operation(clip: Clip, kind: str, share: float, sign: int) -> Clip:
    """Return the clip after one of OPERATIONS.

    share: magnitude as a share of the highest one. sign: 1 or -1, for changes that have two directions.
    """
    functional = _functional()
    if kind == "identity":
        return clip
    if kind in ("autocontrast", "equalize"):
        return getattr(functional, kind)(clip)
    if kind == "posterize":
        return functional.posterize(clip, 8 - round(4 * share))
    if kind == "solarize":
        return functional.solarize(clip, 255 * (1 - share))
    if kind == "rotate":
        return functional.rotate(clip, sign * 30 * share)
    if kind.startswith(("shear", "translate")):
        return _moved(clip, kind, sign * share)
    return getattr(functional, f"adjust_{kind}")(clip, 1 + sign * 0.9 * share)


def _moved(clip: Clip, kind: str, amount: float) -> Clip:
    """Return the clip sheared around its corner, or translated. amount: -1 to 1."""
    sideways = kind.endswith("x")
    if kind.startswith("shear"):
        degrees = math.degrees(math.atan(0.3 * amount))
        shear, translate, centre = [degrees, 0.0] if sideways else [0.0, degrees], [0, 0], [0, 0]
    else:
        pixels = int(150 / 331 * clip.shape[3 if sideways else 2] * amount)
        shear, translate, centre = [0.0, 0.0], [pixels, 0] if sideways else [0, pixels], None
    return _functional().affine(clip, 0.0, translate, 1.0, shear, center=centre)


def _functional() -> ModuleType:
    """Return torchvision's functions, which only some recipes need and which load slowly."""
    declare()
    from torchvision.transforms.v2 import functional

    return functional
