"""Decoded frames in, CLIP's input out: uint8 (T, H, W, 3) to float32 (T, 3, S, S).

Sizes and crops take only PIL and numpy, in exactly torchvision's steps, so that what testing sees is open_clip's own to
the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from stan.data.video.augmentation import Augmentation

Frames = UInt8[np.ndarray, "T H W 3"]
Pixels = Float32[np.ndarray, "T 3 S S"]


def evaluation(size: int, mean: Sequence[float], std: Sequence[float]) -> Callable[[Frames], Pixels]:
    """Return open_clip's own preprocessing of every frame: short side to `size`, centre crop, normalisation."""

    def transform(frames: Frames) -> Pixels:
        resized = _short_side(frames, size)
        top, left = (_centred(length, size) for length in resized.shape[1:3])
        return _normalised(resized[:, top : top + size, left : left + size], mean, std)

    return transform


def views(
    size: int, mean: Sequence[float], std: Sequence[float], crops: int = 3
) -> Callable[[Frames], Float32[np.ndarray, "V T 3 S S"]]:
    """Return a transform to `crops` square views, spread evenly over the long side from end to end.

    The middle one of three is the view that `evaluation` gives.
    """

    def transform(frames: Frames) -> Float32[np.ndarray, "V T 3 S S"]:
        resized = _short_side(frames, size)
        rooms = [length - size for length in resized.shape[1:3]]
        steps = [i / (crops - 1) if crops > 1 else 0.5 for i in range(crops)]
        corners = [[round(room * step) for room in rooms] for step in steps]
        return np.stack([_normalised(resized[:, t : t + size, x : x + size], mean, std) for t, x in corners])

    return transform


def training(
    size: int, mean: Sequence[float], std: Sequence[float], augmentation: Augmentation
) -> Callable[[Frames, np.random.Generator], Pixels]:
    """Return a transform that takes a random crop, the same for all frames of the clip, and resizes it.

    augmentation: draws the crop, and what else is changed.
    """

    def transform(frames: Frames, rng: np.random.Generator) -> Pixels:
        top, left, height, width = augmentation.crop(*frames.shape[1:3], rng)
        box = (left, top, left + width, top + height)
        crops = [
            Image.fromarray(frame).crop(box).resize((size, size), Image.Resampling.BICUBIC)
            for frame in frames
        ]
        return _normalised(augmentation(np.stack([np.asarray(crop) for crop in crops]), rng), mean, std)

    return transform


def _short_side(frames: Frames, size: int) -> Frames:
    height, width = frames.shape[1:3]
    if width <= height:
        shape = (size, int(size * height / width))
    else:
        shape = (int(size * width / height), size)
    if shape == (width, height):
        return frames
    pictures = [Image.fromarray(frame).resize(shape, Image.Resampling.BICUBIC) for frame in frames]
    return np.stack([np.asarray(picture) for picture in pictures])


def _centred(length: int, size: int) -> int:
    return round((length - size) / 2)


def _normalised(frames: Frames, mean: Sequence[float], std: Sequence[float]) -> Pixels:
    pixels = frames.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    shape = (3, 1, 1)
    pixels -= np.array(mean, np.float32).reshape(shape)
    pixels /= np.array(std, np.float32).reshape(shape)
    return np.ascontiguousarray(pixels)
