#!/usr/bin/env bash
# LoRA is the usual way to fit an image-text model to video with few weights. PEFT adds it to every linear layer for
# target_modules="all-linear", or to those that are named; open_clip's CLIP has three in a block: attn.out_proj, mlp.c_fc
# and mlp.c_proj.
# Guess, written before the run: all three adapters of a block take part, and all get gradients.
#
# Seen (peft 0.21.2, open_clip 3.3.0, torch 2.13.0): the adapters of attn.out_proj are made, count as trainable and are
# never used. torch.nn.MultiheadAttention reads the layer's weight and doesn't call the layer, so a backward pass leaves
# their gradients None; with target_modules=["out_proj"] alone, the model's output needs no gradient at all. Nothing warns.
# (Naming the whole attention, target_modules=["attn"], does take part.)
#   all-linear: c_fc 24 of 24 with a gradient, c_proj 24 of 24 with a gradient, out_proj 0 of 24 with a gradient
#   out_proj: the output needs no gradient
#   attn: the output needs a gradient
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 open_clip_torch==3.3.0 peft==0.21.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import subprocess
import sys
from collections import Counter

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
logging.disable(logging.WARNING)
import open_clip
import peft


def adapted(target):
    torch.manual_seed(0)
    clip = open_clip.create_model("ViT-B-32", pretrained=None)
    model = peft.get_peft_model(clip, peft.LoraConfig(r=4, target_modules=target))
    pictures, texts = torch.randn(2, 3, 224, 224), torch.randint(1, 40_000, (2, 77))
    inner = model.base_model.model
    return model, (inner.encode_image(pictures) * inner.encode_text(texts)).sum()


model, output = adapted("all-linear")
output.backward()
made, reached = Counter(), Counter()
for name, weight in model.named_parameters():
    if "lora_B" in name:
        layer = name.split(".lora_B")[0].split(".")[-1]
        made[layer] += 1
        reached[layer] += weight.grad is not None and bool(weight.grad.any())
        assert weight.requires_grad
print("all-linear:", ", ".join(f"{one} {reached[one]} of {made[one]} with a gradient" for one in sorted(made)))
needs = {target: adapted([target])[1].requires_grad for target in ("out_proj", "attn")}
for target, needed in needs.items():
    print(f"{target}: the output needs {'a' if needed else 'no'} gradient")
assert made == {"out_proj": 24, "c_fc": 24, "c_proj": 24}
assert reached == {"out_proj": 0, "c_fc": 24, "c_proj": 24}
assert needs == {"out_proj": False, "attn": True}
PYTHON
