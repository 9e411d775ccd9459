#!/usr/bin/env bash
# Most recipes of video recognisers have Mixup and CutMix, and timm has both for a batch and its labels. A batch of clips is
# (B, T, C, H, W) or (B, C, T, H, W).
# Guess, written before the run: clips are refused, or one box is cut out of all frames; the label has the box's share.
#
# Seen (timm 1.0.31, torch 2.13.0), 200 batches of two clips, CutMix alone. The box is drawn for the last two dimensions,
# height and width, and cut out of the third and fourth: channels and rows of (B, T, C, H, W), frames and rows of
# (B, C, T, H, W). As there are 3 channels and 8 frames, most boxes lie beyond them, and nothing is cut. The labels are mixed
# by the box's share all the same.
#   pictures (B, C, H, W):   0.31 of the pixels are the other picture's, 0.31 of the label; 0 of 200 unchanged
#   clips (B, T, C, H, W):   0.20 of the pixels are the other clip's, 0.31 of the label; 120 of 200 unchanged
#   clips (B, C, T, H, W):   0.25 of the pixels are the other clip's, 0.31 of the label; 76 of 200 unchanged
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 timm==1.0.31 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import subprocess
import sys

import numpy as np
import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from timm.data.mixup import Mixup

SHAPES = {"pictures (B, C, H, W)": (3, 32, 32), "clips (B, T, C, H, W)": (8, 3, 32, 32), "clips (B, C, T, H, W)": (3, 8, 32, 32)}
SEEN = {"pictures (B, C, H, W)": 0, "clips (B, T, C, H, W)": 120, "clips (B, C, T, H, W)": 76}
ROUNDS = 200

for name, shape in SHAPES.items():
    np.random.seed(0)
    mix = Mixup(mixup_alpha=0.0, cutmix_alpha=1.0, num_classes=2, label_smoothing=0.0)
    shares = []
    for _ in range(ROUNDS):
        batch = torch.stack([torch.zeros(shape), torch.ones(shape)])
        mixed, labels = mix(batch, torch.tensor([0, 1]))
        shares.append((mixed[0].mean().item(), labels[0, 1].item()))
    pixels, label = np.mean(shares, axis=0)
    unchanged = sum(share == 0 for share, _ in shares)
    print(f"{name}: {pixels:.2f} of the pixels are the other's, {label:.2f} of the label; {unchanged} of {ROUNDS} unchanged")
    assert unchanged == SEEN[name]
    assert (pixels == label) == (len(shape) == 3)
PYTHON
