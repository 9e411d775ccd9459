#!/usr/bin/env bash
# CLIP is used at another frame size than it was trained at by interpolating its table of positions: 7 x 7 for B/32 at 224
# pixels. open_clip does so on loading, timm on loading or in every step, transformers with interpolate_pos_encoding=True;
# all three say bicubic. The table here is smooth, as trained ones are: sines and cosines of few waves.
# Guess, written before the run: the three agree to rounding, at least when the table gets larger.
#
# Seen (transformers 5.24.0, open_clip 3.3.0, timm 1.0.31, torch 2.13.0): open_clip and timm agree; transformers differs from
# them by 6 and 15 % of the table. They interpolate with antialias=True, it doesn't, and torch's two bicubics
# are different curves (a = -.5 and -.75) even where there is nothing to filter. Features of one checkpoint, made by two
# libraries at another size, don't match.
#   to 14 x 14: timm 0.000, transformers 0.065
#   to 5 x 5: timm 0.000, transformers 0.148
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 open_clip_torch==3.3.0 timm==1.0.31 \
  transformers==5.24.0 numpy==2.4.6
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - <<'PYTHON'
import logging
import subprocess
import sys
from types import SimpleNamespace

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
logging.disable(logging.WARNING)
from open_clip.model import resize_pos_embed
from timm.layers import resample_abs_pos_embed
from transformers import CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPVisionEmbeddings

WIDTH, PATCH, GRID = 768, 32, 7
torch.manual_seed(0)
place = torch.arange(GRID) / GRID
waves = torch.stack([torch.sin(torch.pi * k * place + phase) for k in (1, 2, 3) for phase in (0.0, 1.57)])
patches = torch.einsum("fy,gx,fgw->yxw", waves, waves, torch.randn(6, 6, WIDTH)).reshape(GRID * GRID, WIDTH)
table = torch.cat([torch.zeros(1, WIDTH), patches])


def by_open_clip(grid):
    weights = {"visual.positional_embedding": table.clone()}
    resize_pos_embed(weights, SimpleNamespace(visual=SimpleNamespace(grid_size=(grid, grid))))
    return weights["visual.positional_embedding"]


def by_transformers(grid):
    embeddings = CLIPVisionEmbeddings(CLIPVisionConfig(hidden_size=WIDTH, image_size=GRID * PATCH, patch_size=PATCH))
    embeddings.position_embedding.weight.data = table.clone()
    tokens = torch.zeros(1, grid * grid + 1, WIDTH)
    return embeddings.interpolate_pos_encoding(tokens, grid * PATCH, grid * PATCH)[0].detach()


for grid in (14, 5):
    reference = by_open_clip(grid)
    of_timm = resample_abs_pos_embed(table[None], (grid, grid), num_prefix_tokens=1)[0]
    differences = [float((one - reference).norm() / reference.norm()) for one in (of_timm, by_transformers(grid))]
    print(f"to {grid} x {grid}: timm {differences[0]:.3f}, transformers {differences[1]:.3f}")
    assert differences[0] < 1e-5 and differences[1] > 0.02
PYTHON
