#!/usr/bin/env bash
# RandAugment is in the recipes of several video recognisers, and torchvision's v2 transforms take videos: all frames of a clip
# get the same transform with the same parameters. The clip here fades in: one picture at 25, 50 and 100 % brightness.
# Guess, written before the run: a transform maps equal pixels of all frames alike, so brighter frames stay brighter.
#
# Seen (torchvision 0.28.0, torch 2.13.0): autocontrast and equalize, two of RandAugment's operations, stretch each frame by
# that frame's own darkest and brightest values. The fade is gone: all three frames come out equally bright. (Contrast, too,
# is taken about each frame's own mean, but keeps the order.) What happens in light and shade is not kept by RandAugment.
#   clip: 31 63 127
#   autocontrast: 127 127 127
#   equalize: 156 156 156
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
from torchvision import tv_tensors
from torchvision.transforms import v2

picture = torch.linspace(0, 255, 32).expand(3, 32, 32)
clip = tv_tensors.Video(torch.stack([picture * share for share in (0.25, 0.5, 1.0)]).to(torch.uint8))
operations = v2.RandAugment._AUGMENTATION_SPACE
seen = {"clip": clip}
for name, function in (("AutoContrast", v2.functional.autocontrast), ("Equalize", v2.functional.equalize)):
    assert name in operations
    seen[function.__name__] = function(clip)
seen = {name: [round(float(frame.float().mean())) for frame in video] for name, video in seen.items()}
for name, brightness in seen.items():
    print(f"{name}:", *brightness)
assert seen == {"clip": [31, 63, 127], "autocontrast": [127] * 3, "equalize": [156] * 3}
PYTHON
