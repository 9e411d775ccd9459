#!/usr/bin/env bash
# Stickers and cut-out objects are animated WebP files with transparency, and data sets are made of them by Pillow.
# Guess, written before the run: an object that moves over nothing comes back with the transparency that it was written
# with, lossless all the more.
#
# Seen (Pillow 13.0.0, imageio 2.38.1, libwebp 1.6.0): lossy it does. Lossless, each frame is cut to the object, which is
# opaque; so the file says that it has no transparency, and Pillow opens it as RGB, with black where nothing was. One pixel
# that is half clear, and it comes back whole. A browser (Chromium 156) shows what is behind the picture in all three cases.
#   lossy:                RGBA, says alpha: yes, nothing is (0, 0, 0, 0)
#   lossless:             RGB, says alpha: no, nothing is (0, 0, 0, 255)
#   lossless, half clear: RGBA, says alpha: yes, nothing is (0, 0, 0, 0)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pillow==13.0.0 imageio==2.38.1 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON'
import imageio.v3 as iio
import numpy as np
from PIL import Image, features


def back(name, alpha, **options):
    """Write a square that moves over nothing, and return what is told and shown of it."""
    frames = np.zeros((5, 64, 96, 4), np.uint8)
    for number, frame in enumerate(frames):
        frame[20:40, 10 + 12 * number : 30 + 12 * number] = (220, 60, 30, 255)
        frame[20, 10 + 12 * number, 3] = alpha
    first, *others = [Image.fromarray(frame) for frame in frames]
    first.save("film.webp", save_all=True, append_images=others, duration=100, **options)
    content = open("film.webp", "rb").read()
    assert content[12:16] == b"VP8X"
    says = bool(content[20] & 0x10)
    with Image.open("film.webp") as film:
        mode, nothing = film.mode, tuple(map(int, np.asarray(film.convert("RGBA"))[2, 2]))
    assert iio.imread("film.webp", index=0).shape[-1] == len(mode)
    print(f"{name}: {mode}, says alpha: {'yes' if says else 'no'}, nothing is {nothing}")
    return mode, says, nothing


print("libwebp", features.version("webp"))
assert back("lossy", 255, quality=90) == ("RGBA", True, (0, 0, 0, 0))
assert back("lossless", 255, lossless=True) == ("RGB", False, (0, 0, 0, 255))
assert back("lossless, half clear", 128, lossless=True) == ("RGBA", True, (0, 0, 0, 0))
PYTHON
