#!/usr/bin/env bash
# decord2 carries decord on, for newer Pythons and FFmpegs, and some model servers bring it. It is imported as decord, too. A film
# of moving stripes, 320 x 240 pixels, is read by the same lines, whole and scaled, before and after `pip install decord2`.
# Guess, written before the run: a fork that is kept up gives the same pictures by the same call.
#
# Seen (decord 0.6.0, decord2 3.4.0, av 18.1.0): whole frames are the same to the byte, but scaled ones aren't: decord scales
# bilinearly, decord2 bicubically, so what a model sees, and every frozen feature, moves where a loader asks for
# VideoReader(path, width=224, height=224). The newcomer's files lie over the old ones: pip lists both packages, its check is
# content, and the metadata's version of decord, which is what a run would note down, is 0.6.0 while 3.4.0 decodes.
#   pip's decord 0.6.0, imported 0.6.0; then pip's decord 0.6.0, imported 3.4.0
#   pip check: No broken requirements found.
#   whole: mean difference 0.0 of 255
#   160x120: mean difference 4.3 of 255
#   224x224: mean difference 2.6 of 255
#   112x112: mean difference 5.7 of 255
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q decord==0.6.0 av==18.1.0 numpy==2.4.6
cd "$folder"
cat >read.py <<'PYTHON'
import sys
from importlib.metadata import version

import decord
import numpy as np

frames = {}
for width, height in ((-1, -1), (160, 120), (224, 224), (112, 112)):
    reader = decord.VideoReader("film.mp4", width=width, height=height)
    frames["whole" if width < 0 else f"{width}x{height}"] = reader.get_batch(range(len(reader))).asnumpy()
np.savez(sys.argv[1], versions=f"pip's decord {version('decord')}, imported {decord.__version__}", **frames)
PYTHON
{
    "$folder/venv/bin/python" - <<'PYTHON'
import av
import numpy as np

y, x = np.mgrid[:240, :320]
stripes = 128 + 60 * np.sin(x / 3 + y / 7) + 50 * np.cos(x * y / 900)
with av.open("film.mp4", "w") as film:
    stream = film.add_stream("libx264", rate=10, options={"crf": "12", "threads": "1"})
    stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
    for i in range(20):
        moved = [np.roll(stripes, 5 * i, 1), np.roll(stripes, -3 * i, 1), np.roll(stripes, 4 * i, 0)]
        picture = np.stack(moved, -1).clip(0, 255).astype(np.uint8)
        film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    film.mux(stream.encode(None))
PYTHON
    "$folder/venv/bin/python" read.py before
    "$folder/venv/bin/pip" install -q decord2==3.4.0
    "$folder/venv/bin/python" read.py after
} 2>log >&2 || { cat log; exit 1; }
"$folder/venv/bin/pip" check | tee checked
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np

EXPECTED = {"whole": 0, "160x120": 4.3, "224x224": 2.6, "112x112": 5.7}
before, after = np.load("before.npz"), np.load("after.npz")
print(f"{before['versions']}; then {after['versions']}")
assert str(after["versions"]) == "pip's decord 0.6.0, imported 3.4.0"
for size, expected in EXPECTED.items():
    apart = abs(before[size].astype(int) - after[size]).mean()
    print(f"{size}: mean difference {apart:.1f} of 255")
    assert apart == expected if size == "whole" else abs(apart - expected) < 0.3, apart
PYTHON
grep -q "No broken requirements found" checked
