"""Decoded frames in, CLIP's input out."""

import numpy as np
from PIL import Image


def evaluation(size, mean, std):
    mean, std = np.array(mean, np.float32), np.array(std, np.float32)

    def one(frame):
        h, w = frame.shape[:2]
        short = min(h, w)
        new = (size, int(size * h / w)) if w <= h else (int(size * w / h), size)
        image = Image.fromarray(frame).resize(new, Image.BICUBIC)
        left, top = round((new[0] - size) / 2), round((new[1] - size) / 2)
        image = image.crop((left, top, left + size, top + size))
        return ((np.asarray(image, np.float32) / 255 - mean) / std).transpose(2, 0, 1)

    return lambda frames: np.stack([one(f) for f in frames])
