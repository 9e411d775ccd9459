#!/usr/bin/env bash
# transformers' load_video reads videos for its video models, by PyAV, OpenCV and others. Kinetics and what else came from
# YouTube is half WebM and MKV. The same 100 pictures are written as MP4, MKV, WebM and MPEG-TS, and eight are asked for.
# Guess, written before the run: every backend gives the same eight of each file.
#
# Seen (transformers 5.24.0, av 18.0.0, opencv 5.0.0.93): by PyAV only MP4 can be read. MKV, WebM and MPEG-TS don't say how
# many frames they have, PyAV's stream.frames is 0 for them, and the 0 is taken for the length: the error tells the user to ask
# for fewer than eight, and at two frames per second it speaks of one. By OpenCV all four are read.
#   film.mp4: pyav 8 frames, opencv 8 frames
#   film.mkv: pyav ValueError, total_num_frames=0, opencv 8 frames
#   film.webm: pyav ValueError, total_num_frames=0, opencv 8 frames
#   film.ts: pyav ValueError, total_num_frames=0, opencv 8 frames
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 transformers==5.24.0 av==18.0.0 \
    opencv-python-headless==5.0.0.93 pillow==12.3.0 numpy==2.4.6
cd "$folder"
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import re
import subprocess
import sys

import av
import numpy as np
import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from transformers.video_utils import load_video


def written(name, codec):
    with av.open(name, "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(100):
            picture = np.full((64, 64, 3), 2 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    with av.open(name) as container:
        assert len(list(container.decode(video=0))) == 100, "the file itself is right"
    return name


def read(name, backend):
    try:
        return f"{len(load_video(name, num_frames=8, backend=backend)[0])} frames"
    except ValueError as error:
        return f"ValueError, {re.search('total_num_frames=[0-9]+', str(error))[0]}"


seen = {}
for name in ("film.mp4", "film.mkv", "film.webm", "film.ts"):
    written(name, "libvpx-vp9" if name.endswith("webm") else "libx264")
    seen[name] = {backend: read(name, backend) for backend in ("pyav", "opencv")}
    print(f"{name}:", ", ".join(f"{backend} {said}" for backend, said in seen[name].items()))
assert {said["opencv"] for said in seen.values()} == {"8 frames"}
assert seen.pop("film.mp4")["pyav"] == "8 frames"
assert {said["pyav"] for said in seen.values()} == {"ValueError, total_num_frames=0"}
PYTHON
