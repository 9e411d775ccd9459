"""Decoded frames in, CLIP's input out: uint8 (T, H, W, 3) to float32 (T, 3, S, S)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32

from stan.data.preprocessing import PixelSettings
from stan.data.video.augmentation import Augmentation, Box, Crop
from stan.data.video.scaling import Frames

Pixels = Float32[np.ndarray, "T 3 S S"]

CROPS = 3
"""Views of a frame in testing with several."""


def evaluation(settings: PixelSettings) -> Callable[[Frames], Pixels]:
    """Return open_clip's own preprocessing of every frame: resized as `settings` say, centre crop, normalisation.

    Frames that were decoded as `settings.scaling` says are only normalised.
    """

    def transform(frames: Frames) -> Pixels:
        return _normalised(settings.scaling.squares(frames), settings)

    return transform


def views(settings: PixelSettings) -> Callable[[Frames], Float32[np.ndarray, "V T 3 S S"]]:
    """Return a transform to `CROPS` square views, spread evenly over the long side from end to end.

    The middle one is the view that `evaluation` gives. A tower that reads the whole frame, squashed or padded,
    has nothing beside it to look at: all its views are that of `evaluation`.
    """

    def transform(frames: Frames) -> Float32[np.ndarray, "V T 3 S S"]:
        resized, size = settings.scaling.resized(frames), settings.size
        rooms = [length - size for length in resized.shape[1:3]]
        corners = [[round(room * i / (CROPS - 1)) for room in rooms] for i in range(CROPS)]
        return np.stack([_normalised(resized[:, t : t + size, x : x + size], settings) for t, x in corners])

    return transform


def training(
    settings: PixelSettings, augmentation: Augmentation
) -> Callable[[Frames, np.random.Generator], Pixels]:
    """Return a transform that takes a random crop, the same for all frames of the clip, and resizes it.

    The crop is drawn in what `settings` make of a frame before they crop it: the frame itself, the padded frame, or the
    frame squashed to a square, so that things have the proportions in which testing shows them.
    augmentation: draws the crop, and what else is changed.
    """

    def transform(frames: Frames, rng: np.random.Generator) -> Pixels:
        if settings.resize_mode == "longest":
            frames = settings.scaling.padded(frames, max(frames.shape[1:3]))
        draw = _of_square(augmentation.crop) if settings.resize_mode == "squash" else augmentation.crop
        top, left, height, width = draw(*frames.shape[1:3], rng)
        crops = frames[:, top : top + height, left : left + width]
        scaled = settings.scaling.scaled(crops, settings.size, settings.size)
        return _normalised(augmentation(scaled, rng), settings)

    return transform


def _of_square(crop: Crop) -> Crop:
    """Return a function that draws a crop of the frame squashed to a square, and gives its box in the frame itself."""

    def draw(height: int, width: int, rng: np.random.Generator) -> Box:
        side = max(height, width)
        top, left, tall, wide = crop(side, side, rng)
        top, bottom = (place * height // side for place in (top, top + tall))
        left, right = (place * width // side for place in (left, left + wide))
        return top, left, max(1, bottom - top), max(1, right - left)

    return draw


def _normalised(frames: Frames, settings: PixelSettings) -> Pixels:
    pixels = frames.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    shape = (3, 1, 1)
    pixels -= np.array(settings.mean, np.float32).reshape(shape)
    pixels /= np.array(settings.std, np.float32).reshape(shape)
    return np.ascontiguousarray(pixels)
