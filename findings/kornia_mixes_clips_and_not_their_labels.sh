#!/usr/bin/env bash
# Mixup and CutMix are in most recipes of video recognisers. kornia has both, and containers for clips (VideoSequential) and
# for inputs beside their labels (AugmentationSequential with data_keys), which may be put into each other.
# Guess, written before the run: labels come back as those of both clips and the share, as for pictures.
#
# Seen (kornia 0.9.0, torch 2.13.0): with pictures, the mix itself gives (label, other label, share) for each, and the container
# of inputs and labels refuses it: NotImplementedError. With clips, in a VideoSequential, the same container mixes each clip
# with another, and gives the labels back as they came: training goes on, on mixtures under one clip's label.
#   RandomMixUpV2:  pictures, alone: labels of shape (4, 3); pictures, in the container: NotImplementedError
#                   clips, in the container: 4 of 4 changed, labels [0, 1, 2, 3]
#   RandomCutMixV2: pictures, alone: labels of shape (1, 4, 3); pictures, in the container: NotImplementedError
#                   clips, in the container: 3 of 4 changed, labels [0, 1, 2, 3]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 kornia==0.9.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import kornia.augmentation as K
import torch

KEYS = ["input", "class"]
labels = torch.arange(4)
pictures = (torch.arange(4.0) / 10).view(4, 1, 1, 1).expand(4, 3, 8, 8).contiguous()
clips = pictures[:, None].expand(4, 2, 3, 8, 8).contiguous()  # each of two equal frames
shapes = {K.RandomMixUpV2: (4, 3), K.RandomCutMixV2: (1, 4, 3)}

for Mix, shape in shapes.items():
    torch.manual_seed(1)
    mix = Mix(p=1.0, data_keys=KEYS)
    _, alone = mix(pictures, labels)
    try:
        K.AugmentationSequential(mix, data_keys=KEYS)(pictures, labels)
        contained = "labels"
    except NotImplementedError as error:
        contained = type(error).__name__
    print(f"{Mix.__name__}: pictures, alone: labels of shape {tuple(alone.shape)}; in the container: {contained}")
    of_clips = K.VideoSequential(mix, data_format="BTCHW", same_on_frame=True)
    mixed, left = K.AugmentationSequential(of_clips, data_keys=KEYS)(clips, labels)
    changed = (mixed != clips).flatten(1).any(1).sum().item()
    print(f"  clips, in the container: {changed} of 4 changed, labels {left.tolist()}")
    assert tuple(alone.shape) == shape and contained == "NotImplementedError"
    assert changed > 1 and left.tolist() == labels.tolist()
PYTHON
