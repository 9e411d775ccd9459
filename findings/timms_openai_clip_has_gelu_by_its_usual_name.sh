#!/usr/bin/env bash
# timm has OpenAI's CLIP image towers, a common start for video models: vit_base_patch16_clip_224.openai and others. OpenAI
# trained them with QuickGELU, x * sigmoid(1.702 x).
# Guess, written before the run: a model whose tag is openai computes what OpenAI's does, so its activation is QuickGELU.
#
# Seen (timm 1.0.31): the weights are there under two names, and only the longer one, which has quickgelu in it, has the
# activation that they were trained with. The usual name has the exact GELU. Both take the same file, all keys match, and
# nothing warns (open_clip 3.3.0 does, of its ViT-B-16 with openai). With random weights the outputs differ by a percent.
#   vit_base_patch16_clip_224.openai: GELU, weights from timm/vit_base_patch16_clip_224.openai
#   vit_base_patch16_clip_quickgelu_224.openai: QuickGELU, weights from timm/vit_base_patch16_clip_224.openai
#   (and the same for the openai weights of B/32, L/14 and L/14 at 336 pixels)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 timm==1.0.31 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import subprocess
import sys

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import timm

for size in ("base_patch32_clip_{}224", "base_patch16_clip_{}224", "large_patch14_clip_{}224", "large_patch14_clip_{}336"):
    seen = {}
    for kind in ("", "quickgelu_"):
        name = f"vit_{size.format(kind)}.openai"
        with torch.device("meta"):
            model = timm.create_model(name, pretrained=False)
        seen[kind] = type(model.blocks[0].mlp.act).__name__, model.pretrained_cfg["hf_hub_id"]
        print(f"{name}: {seen[kind][0]}, weights from {seen[kind][1]}")
    assert seen[""][0] == "GELU" and seen["quickgelu_"][0] == "QuickGELU" and seen[""][1] == seen["quickgelu_"][1]

torch.manual_seed(0)
usual = timm.create_model("vit_base_patch16_clip_224.openai").eval()
quick = timm.create_model("vit_base_patch16_clip_quickgelu_224.openai").eval()
quick.load_state_dict(usual.state_dict())
picture = torch.randn(1, 3, 224, 224)
with torch.no_grad():
    one, other = usual.forward_features(picture), quick.forward_features(picture)
difference = float((one - other).abs().max() / other.abs().max())
print(f"largest difference relative to the largest output: {difference:.3f}")
assert 0.002 < difference < 0.1
PYTHON
