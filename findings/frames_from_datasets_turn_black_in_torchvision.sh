#!/usr/bin/env bash
# A dataset of clips in Hugging Face's datasets, whose frames are declared and stored as uint8, is read as torch tensors and
# goes through torchvision's usual steps: ToDtype(torch.float32, scale=True), which makes 0 to 1 of 0 to 255, and the model.
# Guess, written before the run: frames come out as uint8, and white becomes 1.
#
# Seen (datasets 5.2.0, torchvision 0.28.0): with_format("torch") gives int64, whatever the column's type (so does "numpy"),
# which takes eight times the memory. torchvision scales by the largest value of the type, so white becomes 3e-17: every
# frame is black, and a model trains on black frames without a warning. Half-precision features come out as float32.
#   declared uint8, read by with_format("torch"): torch.int64
#   white after ToDtype(float32, scale=True): 2.8e-17
#   the same from a uint8 tensor: 1.0
#   read by with_format("torch", dtype=torch.uint8): torch.uint8
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datasets==5.2.0 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
cd "$folder"
HF_HOME="$folder/cache" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import subprocess
import sys

import numpy as np
import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from datasets import Array4D, Dataset, Features
from torchvision.transforms import v2

clips = np.full((2, 4, 3, 8, 8), 255, np.uint8)
features = Features({"frames": Array4D((4, 3, 8, 8), "uint8")})
clips = Dataset.from_dict({"frames": clips}, features=features)
scale = v2.ToDtype(torch.float32, scale=True)

frames = clips.with_format("torch")[0]["frames"]
white = float(scale(frames).max())
print('declared uint8, read by with_format("torch"):', frames.dtype)
print(f"white after ToDtype(float32, scale=True): {white:.1e}")
print("the same from a uint8 tensor:", float(scale(frames.to(torch.uint8)).max()))
asked = clips.with_format("torch", dtype=torch.uint8)[0]["frames"].dtype
print('read by with_format("torch", dtype=torch.uint8):', asked)
assert frames.dtype == torch.int64 and int(frames.max()) == 255 and white < 1e-16
assert float(scale(frames.to(torch.uint8)).max()) == 1 and asked == torch.uint8
PYTHON
