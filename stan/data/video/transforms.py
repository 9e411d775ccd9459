"""Decoded frames in, CLIP's input out: uint8 (T, H, W, 3) to float32 (T, 3, S, S).

Sizes and crops take only PIL and numpy, in exactly torchvision's steps, so that what testing sees is open_clip's own to
the last bit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from stan.data.preprocessing import PixelSettings
from stan.data.video.augmentation import Augmentation, Box, Crop

Frames = UInt8[np.ndarray, "T H W 3"]
Pixels = Float32[np.ndarray, "T 3 S S"]


def evaluation(settings: PixelSettings) -> Callable[[Frames], Pixels]:
    """Return open_clip's own preprocessing of every frame: resized as `settings` say, centre crop, normalisation."""

    def transform(frames: Frames) -> Pixels:
        resized, size = _resized(frames, settings), settings.size
        top, left = (_centred(length, size) for length in resized.shape[1:3])
        return _normalised(resized[:, top : top + size, left : left + size], settings)

    return transform


def views(settings: PixelSettings, crops: int = 3) -> Callable[[Frames], Float32[np.ndarray, "V T 3 S S"]]:
    """Return a transform to `crops` square views, spread evenly over the long side from end to end.

    The middle one of three is the view that `evaluation` gives. A tower that reads the whole frame, squashed or padded,
    has nothing beside it to look at: all its views are that of `evaluation`.
    """

    def transform(frames: Frames) -> Float32[np.ndarray, "V T 3 S S"]:
        resized, size = _resized(frames, settings), settings.size
        rooms = [length - size for length in resized.shape[1:3]]
        steps = [i / (crops - 1) if crops > 1 else 0.5 for i in range(crops)]
        corners = [[round(room * step) for room in rooms] for step in steps]
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
            frames = _padded(frames, max(frames.shape[1:3]), settings.fill_color)
        draw = _of_square(augmentation.crop) if settings.resize_mode == "squash" else augmentation.crop
        top, left, height, width = draw(*frames.shape[1:3], rng)
        crops = frames[:, top : top + height, left : left + width]
        scaled = _scaled(crops, settings.size, settings.size, settings)
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


def _resized(frames: Frames, settings: PixelSettings) -> Frames:
    """Return frames of which neither side is shorter than the size."""
    (height, width), size = frames.shape[1:3], settings.size
    if settings.resize_mode == "squash":
        return _scaled(frames, size, size, settings)
    if settings.resize_mode == "longest":
        ratio = max(height / size, width / size)
        sides = (max(1, round(length / ratio)) for length in (height, width))
        return _padded(_scaled(frames, *sides, settings), size, settings.fill_color)
    if width <= height:
        return _scaled(frames, int(size * height / width), size, settings)
    return _scaled(frames, size, int(size * width / height), settings)


def _scaled(frames: Frames, height: int, width: int, settings: PixelSettings) -> Frames:
    if (height, width) == frames.shape[1:3]:
        return frames
    how = Image.Resampling[settings.interpolation.upper()]
    pictures = [Image.fromarray(frame).resize((width, height), how) for frame in frames]
    return np.stack([np.asarray(picture) for picture in pictures])


def _padded(frames: Frames, side: int, fill: int) -> Frames:
    """Return the frames in the middle of squares."""
    count, height, width, _ = frames.shape
    squares = np.full((count, side, side, 3), fill, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    squares[:, top : top + height, left : left + width] = frames
    return squares


def _centred(length: int, size: int) -> int:
    return round((length - size) / 2)


def _normalised(frames: Frames, settings: PixelSettings) -> Pixels:
    pixels = frames.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    shape = (3, 1, 1)
    pixels -= np.array(settings.mean, np.float32).reshape(shape)
    pixels /= np.array(settings.std, np.float32).reshape(shape)
    return np.ascontiguousarray(pixels)
