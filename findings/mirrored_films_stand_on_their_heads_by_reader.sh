#!/usr/bin/env bash
# How a film is to be shown, its header says by a matrix: phones turn by it, and selfie cameras and editors mirror by it. One
# film of four coloured quarters (red, green / blue, white), 192 x 128 pixels, gets six matrices; five readers show it.
# Guess, written before the run: a reader that turns films also mirrors them, and one that does neither gives what is stored.
#
# Seen (opencv-python-headless 5.0.0.93, decord 0.6.0, moviepy 2.2.1, imageio 2.38.1 with imageio-ffmpeg 0.8.1, av 18.1.0):
# OpenCV and decord read an angle from the matrix, and a mirrored one has none: they turn it by 180 degrees instead, so that
# people stand on their heads, and leave a film that is to be flipped as it is stored. moviepy mirrors, but gives a film that
# is turned by 90 degrees the size it has before: a portrait is squeezed into a landscape. imageio is right by its FFMPEG
# plugin; its pyav plugin gives what is stored, which is as guessed.
#   matrix: shown by a player | opencv | decord | moviepy | imageio, FFMPEG | imageio, pyav
#   as stored: 192x128 rgbw | = | = | = | = | =
#   turned by 90: 128x192 brwg | = | = | 192x128 brwg | = | 192x128 rgbw
#   turned by 180: 192x128 wbgr | = | = | = | = | 192x128 rgbw
#   mirrored: 192x128 grwb | 192x128 wbgr | 192x128 wbgr | = | = | 192x128 rgbw
#   flipped: 192x128 bwrg | 192x128 rgbw | 192x128 rgbw | = | = | 192x128 rgbw
#   turned and mirrored: 128x192 rbgw | 128x192 brwg | 128x192 brwg | 192x128 rbgw | = | 192x128 rgbw
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python-headless==5.0.0.93 decord==0.6.0 moviepy==2.2.1 imageio==2.38.1 \
    imageio-ffmpeg==0.8.1 av==18.1.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import struct

import av
import cv2
import decord
import imageio.v3 as iio
import numpy as np
from moviepy import VideoFileClip

WIDTH, HEIGHT = 192, 128
COLOURS = {"r": (200, 40, 40), "g": (40, 200, 40), "b": (40, 40, 200), "w": (200, 200, 200)}
MATRICES = {  # a, b, c, d, x, y: the point (p, q) is shown at (a p + c q + x, b p + d q + y)
    "as stored": (1, 0, 0, 1, 0, 0),
    "turned by 90": (0, 1, -1, 0, HEIGHT, 0),
    "turned by 180": (-1, 0, 0, -1, WIDTH, HEIGHT),
    "mirrored": (-1, 0, 0, 1, WIDTH, 0),
    "flipped": (1, 0, 0, -1, 0, HEIGHT),
    "turned and mirrored": (0, 1, 1, 0, 0, 0),
}
picture = np.array([*COLOURS.values()], np.uint8).reshape(2, 2, 3).repeat(HEIGHT // 2, 0).repeat(WIDTH // 2, 1)


def quarters(frame):
    """Return width, height, and the colours of the four quarters, row by row."""
    height, width = frame.shape[:2]
    points = [frame[height * y // 4, width * x // 4].astype(int) for y in (1, 3) for x in (1, 3)]
    near = [min(COLOURS, key=lambda name: abs(point - COLOURS[name]).sum()) for point in points]
    return f"{width}x{height} {''.join(near)}"


def write(matrix):
    """Put a matrix into the track's header (ISO/IEC 14496-12, 8.3.2)."""
    content = bytearray(open("plain.mp4", "rb").read())
    place = content.index(b"tkhd") + 44
    a, b, c, d, x, y = (value << 16 for value in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, x, y, 1 << 30)
    open("film.mp4", "wb").write(content)


def by_player(matrix):
    """Return what the standard says: each quarter's middle, moved by the matrix."""
    a, b, c, d, right, down = matrix
    width, height = (WIDTH, HEIGHT) if a else (HEIGHT, WIDTH)
    shown = [""] * 4
    for name, (x, y) in zip(COLOURS, [(48, 32), (144, 32), (48, 96), (144, 96)]):
        shown[2 * (b * x + d * y + down > height / 2) + (a * x + c * y + right > width / 2)] = name
    return f"{width}x{height} {''.join(shown)}"


def by_moviepy():
    with VideoFileClip("film.mp4") as film:
        return film.get_frame(0.1)


READERS = {
    "opencv": lambda: cv2.VideoCapture("film.mp4").read()[1][:, :, ::-1],
    "decord": lambda: decord.VideoReader("film.mp4")[1].asnumpy(),
    "moviepy": by_moviepy,
    "imageio, FFMPEG": lambda: iio.imread("film.mp4", index=1, plugin="FFMPEG"),
    "imageio, pyav": lambda: iio.imread("film.mp4", index=1, plugin="pyav"),
}
with av.open("plain.mp4", "w") as film:
    stream = film.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    for _ in range(10):
        film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
    film.mux(stream.encode())

seen = []
print("matrix: shown by a player", *READERS, sep=" | ")
for name, matrix in MATRICES.items():
    write(matrix)
    right = by_player(matrix)
    found = [quarters(read()) for read in READERS.values()]
    seen.append(f"{name}: {right} | " + " | ".join("=" if one == right else one for one in found))
    print(seen[-1])
stored = "192x128 rgbw"
assert seen == [
    "as stored: 192x128 rgbw | = | = | = | = | =",
    f"turned by 90: 128x192 brwg | = | = | 192x128 brwg | = | {stored}",
    f"turned by 180: 192x128 wbgr | = | = | = | = | {stored}",
    f"mirrored: 192x128 grwb | 192x128 wbgr | 192x128 wbgr | = | = | {stored}",
    f"flipped: 192x128 bwrg | {stored} | {stored} | = | = | {stored}",
    f"turned and mirrored: 128x192 rbgw | 128x192 brwg | 128x192 brwg | 192x128 rbgw | = | {stored}",
]
PYTHON
