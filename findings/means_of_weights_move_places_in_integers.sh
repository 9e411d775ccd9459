#!/usr/bin/env bash
# Recipes of video models test a moving mean of the weights (EMA). torch's AveragedModel with use_buffers=True takes buffers in,
# too, for the statistics of batch norms; Lightning's EMAWeightAveraging (2.6.6) does so unless told not to, and timm's
# ModelEmaV2 does with all that is saved. CLIP in transformers holds its places as integers in a buffer, 0 to 196, and
# torchvision's Swin3D where to look up its table of offsets. Here nothing is learned: the weights stay as they were drawn.
# Guess, written before the run: the mean of a model with itself is that model, whatever the decay, up to rounding.
#
# Seen (torch 2.13.0, transformers 5.24.0, torchvision 0.28.0, timm 1.0.31): it depends on the decay. Integers are multiplied by
# the two shares as 32-bit floats, and where rounding leaves 10.999999 of 11, the fraction is cut off. With 0.9999 (or 0.9, or
# 0.9995) one patch of CLIP in six gets its neighbour's place, and a fifth of Swin3D's offsets are wrong, from the first mean on,
# and in the saved file; with 0.99, 0.999 or 0.9998 none. No warning is printed. timm's ModelEmaV3 copies integers, as torch
# does without use_buffers, and as stan's mean over epochs does.
#   decay 0.999:  torch moves 0 of CLIP's 197 places and 0.0 % of Swin3D's offsets, ModelEmaV2 0.0 %, ModelEmaV3 0.0 %
#   decay 0.9995: torch moves 59 of CLIP's 197 places and 28.6 % of Swin3D's offsets, ModelEmaV2 28.6 %, ModelEmaV3 0.0 %
#   decay 0.9998: torch moves 0 of CLIP's 197 places and 0.0 % of Swin3D's offsets, ModelEmaV2 0.0 %, ModelEmaV3 0.0 %
#   decay 0.9999: torch moves 34 of CLIP's 197 places and 19.8 % of Swin3D's offsets, ModelEmaV2 19.8 %, ModelEmaV3 0.0 %
#   places 9 to 12 at 0.9999: 9 10 10 12; no weight has changed, and Swin3D's answers have
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 transformers==5.24.0 timm==1.0.31 numpy==2.4.6
"$folder/venv/bin/python" -W error::UserWarning - <<'PYTHON'
import subprocess
import sys

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from timm.utils import ModelEmaV2, ModelEmaV3
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchvision.models.video import swin3d_t
from transformers import CLIPVisionConfig, CLIPVisionModel

torch.manual_seed(0)
small = CLIPVisionConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, patch_size=16)
clip, swin = CLIPVisionModel(small).eval(), swin3d_t().eval()


def by_torch(model, decay, use_buffers=True):
    mean = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=use_buffers)
    for _ in range(3):  # the first one copies
        mean.update_parameters(model)
    return mean.module


def by_timm(kind, model, decay):
    mean = kind(model, decay=decay)
    mean.update(model)
    return mean.module


def moved(mean, model):
    """Return how many integers of a model are others in its mean, and their share in percent."""
    pairs = [(own, other) for own, other in zip(model.buffers(), mean.buffers()) if not own.is_floating_point()]
    count = sum(int((own != other).sum()) for own, other in pairs)
    return count, round(100 * count / sum(own.numel() for own, _ in pairs), 1)


def equal_weights(mean, model):
    return all(torch.allclose(own, other, atol=1e-6) for own, other in zip(model.parameters(), mean.parameters()))


seen = {}
for decay in (0.9, 0.99, 0.999, 0.9995, 0.9998, 0.9999):
    places, offsets = moved(by_torch(clip, decay), clip)[0], moved(by_torch(swin, decay), swin)[1]
    second, third = (moved(by_timm(kind, swin, decay), swin)[1] for kind in (ModelEmaV2, ModelEmaV3))
    of_each = f"{places} of CLIP's 197 places and {offsets} % of Swin3D's offsets, ModelEmaV2 {second} %, ModelEmaV3 {third} %"
    print(f"decay {f'{decay}:':7} torch moves {of_each}")
    assert offsets == second and third == 0 == moved(by_torch(swin, decay, use_buffers=False), swin)[0]
    seen[decay] = places, offsets
assert seen == {0.9: (52, 25.0), 0.99: (0, 0), 0.999: (0, 0), 0.9995: (59, 28.6), 0.9998: (0, 0), 0.9999: (34, 19.8)}, seen

mean, swins = by_torch(clip, 0.9999), by_torch(swin, 0.9999)
places = next(one for name, one in mean.named_buffers() if name.endswith("position_ids"))[0, 9:13].tolist()
frames = torch.rand(1, 3, 8, 64, 64)
with torch.no_grad():
    answers, means = swin(frames), swins(frames)
assert places == [9, 10, 10, 12] and equal_weights(mean, clip) and equal_weights(swins, swin)
assert not torch.allclose(answers, means, rtol=1e-5, atol=1e-7)
print("places 9 to 12 at 0.9999:", *places, end="; no weight has changed, and Swin3D's answers have\n")
PYTHON
