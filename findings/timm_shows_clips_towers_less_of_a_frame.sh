#!/usr/bin/env bash
# CLIP's image towers are in timm and in open_clip, with the same weights, and each brings the transform that belongs to a
# checkpoint. A frame of 320 x 240 pixels, whose red tells x and whose green tells y, goes through both.
# Guess, written before the run: both show a tower the same part of it, the middle square, as CLIP was trained and tested.
#
# Seen (timm 1.0.31, open_clip 3.3.0, torchvision 0.28.0): timm resizes most of them by its habit for ImageNet, 10 % larger
# than is asked for, and cuts the rest off: a tower of OpenAI's, LAION's, EVA's or ViTamin's sees four fifths of the square that
# open_clip shows it. OpenAI's at 336 pixels and DFN's are as in open_clip. SigLIP and Perception Encoder, which open_clip shows
# the whole frame, squeezed, see 62 % and 75 % of it by timm. So frozen features, linear probes and what is searched by them
# differ with the library that made the pixels.
#   vit_base_patch16_clip_224.openai: timm shows 62 % of the frame, open_clip 75 %
#   vit_base_patch32_clip_224.laion2b: timm shows 62 % of the frame, open_clip 75 %
#   eva02_base_patch16_clip_224.merged2b: timm shows 62 % of the frame, open_clip 75 %
#   vitamin_large_224.datacomp1b_clip: timm shows 62 % of the frame, open_clip 75 %
#   vit_large_patch14_clip_336.openai: timm shows 75 % of the frame, open_clip 75 %
#   vit_base_patch16_clip_224.dfn2b: timm shows 75 % of the frame, open_clip 75 %
#   vit_base_patch16_siglip_224.webli: timm shows 62 % of the frame, open_clip 100 %
#   vit_pe_core_base_patch16_224.fb: timm shows 75 % of the frame, open_clip 100 %
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q timm==1.0.31 open_clip_torch==3.3.0 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import subprocess
import sys

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import numpy as np
import open_clip
import timm
from open_clip.pretrained import get_pretrained_cfg
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from timm.data import create_transform, resolve_data_config

TOWERS = {
    "vit_base_patch16_clip_224.openai": ("ViT-B-16", "openai", 62, 75),
    "vit_base_patch32_clip_224.laion2b": ("ViT-B-32", "laion2b_s34b_b79k", 62, 75),
    "eva02_base_patch16_clip_224.merged2b": ("EVA02-B-16", "merged2b_s8b_b131k", 62, 75),
    "vitamin_large_224.datacomp1b_clip": ("ViTamin-L", "datacomp1b", 62, 75),
    "vit_large_patch14_clip_336.openai": ("ViT-L-14-336", "openai", 75, 75),
    "vit_base_patch16_clip_224.dfn2b": ("ViT-B-16-quickgelu", "dfn2b", 75, 75),
    "vit_base_patch16_siglip_224.webli": ("ViT-B-16-SigLIP", "webli", 62, 100),
    "vit_pe_core_base_patch16_224.fb": ("PE-Core-B-16", "meta", 75, 100),
}
pixels = np.zeros((240, 320, 3), np.uint8)
pixels[..., 0] = np.linspace(0, 255, 320)
pixels[..., 1] = np.linspace(0, 255, 240)[:, None]
frame = Image.fromarray(pixels)


def shown(tower, mean, std):
    """Return how many percent of the frame lie between the first and the last column and row that a tower sees."""
    seen = tower * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]
    width, height = (float(seen[channel].max() - seen[channel].min()) for channel in (0, 1))
    return round(100 * width * height)


def by_timm(name):
    settings = resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    return shown(create_transform(**settings)(frame), settings["mean"], settings["std"])


def by_open_clip(name, tag):
    told = get_pretrained_cfg(name, tag)
    chosen = {key: told[key] for key in ("mean", "std", "interpolation", "resize_mode") if key in told}
    settings = PreprocessCfg(size=open_clip.get_model_config(name)["vision_cfg"]["image_size"], **chosen)
    return shown(image_transform_v2(settings, is_train=False)(frame), settings.mean, settings.std)


for name, (architecture, tag, *expected) in TOWERS.items():
    found = [by_timm(name), by_open_clip(architecture, tag)]
    print("{}: timm shows {} % of the frame, open_clip {} %".format(name, *found))
    assert found == expected, found
PYTHON
