#!/usr/bin/env bash
# An AVIF file may hold a film, as GIF and WebP do. Decoders read the first video stream: container.decode(video=0).
# Guess, written before the run: of an AVIF of six pictures, PyAV gives six frames, as Pillow does.
#
# Seen (av 15.1.0, Pillow 12.0.0; the same with av 18.0.0): such a file holds its first picture twice, as a still for viewers
# that show no films and as the film's first frame. PyAV gives two video streams, both marked as default, and the first is
# the still. So decode(video=0), or "the first default stream", is a film of one frame, without an error. Asking for the best
# stream (streams.best) gives the film.
#   Pillow: 6 frames
#   PyAV, stream 0 (default: True): 1 frame
#   PyAV, stream 1 (default: True): 6 frames
#   PyAV's best video stream: 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==15.1.0 pillow==12.0.0 numpy==2.3.4
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import av
import numpy as np
from av.stream import Disposition
from PIL import Image

pictures = [Image.fromarray(np.full((64, 64, 3), 40 * i, np.uint8)) for i in range(6)]
pictures[0].save("film.avif", save_all=True, append_images=pictures[1:], duration=100)
with Image.open("film.avif") as image:
    by_pillow = image.n_frames
print("Pillow:", by_pillow, "frames")
found = []
for index in range(2):
    with av.open("film.avif") as container:
        default = bool(container.streams.video[index].disposition & Disposition.default)
        frames = len(list(container.decode(video=index)))
        found.append((default, frames))
        print(f"PyAV, stream {index} (default: {default}): {frames} frame{'s' * (frames > 1)}")
with av.open("film.avif") as container:
    best = container.streams.best("video").index
print("PyAV's best video stream:", best)
assert by_pillow == 6 and found == [(True, 1), (True, 6)] and best == 1
PYTHON
