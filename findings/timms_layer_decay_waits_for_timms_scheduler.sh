#!/usr/bin/env bash
# CLIP's towers are fine-tuned for video with learning rates that fall from layer to layer. timm's optimizer factory takes
# layer_decay for that.
# Guess, written before the run: with layer_decay 0.75, the optimizer's groups have learning rates that fall towards the
# patch embedding, whatever training loop uses it, as with PyTorch's parameter groups.
#
# Seen (timm 1.0.31): every group has the full learning rate, and what is asked for lies beside it, as lr_scale. Only timm's
# own schedulers read that. In a plain loop, or with PyTorch's schedulers, all layers learn at one rate, and nothing warns.
#   as made:                first layers 1.0e-04, last layers 1.0e-04
#   torch's cosine, step 1: first layers 9.8e-05, last layers 9.8e-05
#   timm's cosine, step 1:  first layers 3.1e-06, last layers 9.8e-05
#   a step of plain SGD moves the patch embedding by its gradient times 1.0e-04
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 timm==1.0.31 numpy==2.4.6
"$folder/venv/bin/python" -W error::UserWarning - <<'PYTHON'
import subprocess
import sys

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import timm
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler

RATE, DECAY, LAYERS = 1e-4, 0.75, 12


def fresh(opt: str) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    tower = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    return tower, create_optimizer_v2(tower, opt=opt, lr=RATE, momentum=0.0, weight_decay=0.0, layer_decay=DECAY)


def rates(when: str, optimizer: torch.optim.Optimizer) -> tuple[float, float]:
    groups = sorted(optimizer.param_groups, key=lambda group: group["lr_scale"])
    first, last = groups[0]["lr"], groups[-1]["lr"]
    print(f"{when} first layers {first:.1e}, last layers {last:.1e}")
    return first, last


_, optimizer = fresh("adamw")
scales = [group["lr_scale"] for group in optimizer.param_groups]
assert min(scales) < DECAY**LAYERS * 1.01 and max(scales) == 1
assert rates("as made:               ", optimizer) == (RATE, RATE)

torchs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
optimizer.step()
torchs.step()
first, last = rates("torch's cosine, step 1:", optimizer)
assert first == last

_, optimizer = fresh("adamw")
timms = CosineLRScheduler(optimizer, t_initial=10)
timms.step(1)
first, last = rates("timm's cosine, step 1: ", optimizer)
assert abs(first / last - min(scales)) < 1e-6

tower, plain = fresh("momentum")
patches = tower.patch_embed.proj.weight
before = patches.detach().clone()
(tower(torch.randn(2, 3, 224, 224)) @ torch.randn(192)).sum().backward()
plain.step()
moved = float((before - patches.detach()).norm() / patches.grad.norm())
print(f"a step of plain SGD moves the patch embedding by its gradient times {moved:.1e}")
assert abs(moved / RATE - 1) < 0.01
PYTHON
