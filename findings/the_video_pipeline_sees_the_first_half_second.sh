#!/usr/bin/env bash
# pipeline("video-classification") of transformers is the shortest way from a video to labels, for VideoMAE, TimeSformer and
# ViViT. Here it reads a film of ten seconds, 250 frames whose grey tells their number, with a tiny VideoMAE of 16 frames.
# Guess, written before the run: it draws the 16 frames evenly from the whole film.
#
# Seen (transformers 5.24.0, av 18.0.0; with image processors, which VideoMAE, TimeSformer and ViViT have): it takes the
# first 16 frames, one after the other: .64 of 10 seconds. frame_sampling_rate spreads them by a fixed number of frames, and
# no setting goes by the film's length. So a clip is often judged by its title card, and what happens later is never seen.
#   frames that the model sees: 0 to 15 of 0 to 249
#   with frame_sampling_rate=4: 0 to 63
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 transformers==5.24.0 av==18.0.0 pillow==12.3.0 numpy==2.4.6
cd "$folder"
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - <<'PYTHON'
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
from transformers import VideoClassificationPipeline, VideoMAEConfig, VideoMAEForVideoClassification
from transformers import VideoMAEImageProcessor

with av.open("film.mp4", "w") as container:
    stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    for number in range(250):
        grey = np.full((64, 64, 3), 2 + number, np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
    container.mux(stream.encode())

size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
config = VideoMAEConfig(image_size=32, patch_size=16, num_frames=16, **size)
prepare = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}, "do_normalize": False}
pipeline = VideoClassificationPipeline(
    model=VideoMAEForVideoClassification(config).eval(), image_processor=VideoMAEImageProcessor(**prepare)
)


def seen(**settings):
    pixels = pipeline.preprocess("film.mp4", **settings)["pixel_values"][0]
    return [round(float(frame.mean()) * 255) - 2 for frame in pixels]


plain, spread = seen(), seen(frame_sampling_rate=4)
assert len(pipeline("film.mp4", top_k=2)) == 2
print(f"frames that the model sees: {plain[0]} to {plain[-1]} of 0 to 249")
print(f"with frame_sampling_rate=4: {spread[0]} to {spread[-1]}")
assert len(plain) == len(spread) == 16
assert max(abs(a - b) for a, b in zip(plain, range(16))) <= 1 and abs(spread[-1] - 63) <= 1
PYTHON
