#!/usr/bin/env bash
# Papers on video models print multiply-accumulates, counted by thop, fvcore, ptflops or torch's own FlopCounterMode. Here
# all four count one image through the image tower of open_clip's ViT-B/16, at evaluation and without gradients, as one
# would; by hand, it takes 16.87 G in linear layers and the patch embedding, and .73 G in attention's products.
# Guess, written before the run: they agree within a few percent, some without attention's products.
#
# Seen (torch 2.13.0, open_clip 3.3.0, thop 0.1.1, fvcore 0.1.5, ptflops 0.7.5): three of four miss a third. At evaluation,
# torch runs a whole nn.MultiheadAttention as one fused operator that its own counter and fvcore don't know; thop counts
# modules that are called, which its projections are not. With gradients on, torch's counter finds the projections, but
# not the products of the fused attention on a CPU.
#   thop 11.27, fvcore 11.29, torch 11.27, ptflops 17.60, torch with gradients 16.85
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 open_clip_torch==3.3.0 thop==0.1.1.post2209072238 \
  fvcore==0.1.5.post20221221 ptflops==0.7.5 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import copy
import logging
import subprocess
import sys

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
logging.disable(logging.WARNING)
import open_clip
from fvcore.nn import FlopCountAnalysis
from ptflops import get_model_complexity_info
from thop import profile
from torch.utils.flop_counter import FlopCounterMode

tower = open_clip.create_model("ViT-B-16", pretrained=None).visual.eval()
picture = torch.randn(1, 3, 224, 224)


def by_torch(gradients):
    with torch.set_grad_enabled(gradients), FlopCounterMode(display=False) as counter:
        tower(picture)
    return counter.get_total_flops() / 2


with torch.no_grad():
    seen = {"thop": profile(copy.deepcopy(tower), (picture,), verbose=False)[0]}
    seen["fvcore"] = FlopCountAnalysis(tower, picture).total()
    seen["torch"] = by_torch(False)
    seen["ptflops"] = get_model_complexity_info(
        copy.deepcopy(tower), (3, 224, 224), as_strings=False, print_per_layer_stat=False, backend="pytorch"
    )[0]
seen["torch with gradients"] = by_torch(True)
seen = {name: round(count / 1e9, 2) for name, count in seen.items()}
print(", ".join(f"{name} {count:.2f}" for name, count in seen.items()))
assert seen == {"thop": 11.27, "fvcore": 11.29, "torch": 11.27, "ptflops": 17.6, "torch with gradients": 16.85}
PYTHON
