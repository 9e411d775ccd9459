#!/usr/bin/env bash
# Weights in torchvision carry their transforms. Here a frame of 1280 x 720 with squares of two pixels, black and white by turns,
# goes through those of four video recognisers and of an image classifier; shrunk to 256 lines it must be grey.
# Guess, written before the run: all give an even grey; a standard deviation below 5 % of white's.
#
# Seen (torchvision 0.28.0): only the image classifier's does, 1 %. Those of videos shrink with antialias=False and give
# patterns of 33 % and more, which crawl when the picture moves. The weights' printed accuracy was measured on such frames, so
# videos that were shrunk with antialiasing beforehand are other input.
#   R3D_18 33 %, MViT_V2_S 33 %, Swin3D_T 33 %, S3D 41 %, ResNet18 1 %
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess
import sys

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from torchvision import models

squares = (torch.arange(720)[:, None] // 2 + torch.arange(1280) // 2) % 2
clip = (255 * squares).to(torch.uint8).expand(1, 8, 3, 720, 1280)
names = ("R3D_18", "MViT_V2_S", "Swin3D_T", "S3D")
weights = {name: getattr(models.video, f"{name}_Weights").DEFAULT for name in names}
seen = {}
for name, one in (weights | {"ResNet18": models.ResNet18_Weights.DEFAULT}).items():
    transform = one.transforms()
    shrunk = transform(clip if name in weights else clip[0])
    red = shrunk[:, 0]  # the colour's axis is the second one in both
    seen[name] = float(red.std()) * transform.std[0]
print(", ".join(f"{name} {share:.0%}" for name, share in seen.items()))
assert all(seen[name] > 0.3 for name in names) and seen["ResNet18"] < 0.05
PYTHON
