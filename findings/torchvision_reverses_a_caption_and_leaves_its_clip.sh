#!/usr/bin/env bash
# torchvision's v2 transforms take a sample as a dictionary and hand through what they don't know. A sample of a video-text
# set is a caption's 77 tokens, a tensor, and a clip, a tensor of uint8 (T, 3, H, W).
# Guess, written before the run: a flip turns the clip, and leaves the tokens as they are: they are no picture.
#
# Seen (torchvision 0.28.0, torch 2.13.0): whichever tensor comes first in the dictionary is taken for the picture, the others
# for labels, whatever their shape and type. With the caption first, RandomHorizontalFlip reverses its words and leaves the
# clip; ToDtype(scale=True) divides the tokens by the largest 64-bit number and leaves the clip in bytes. Nothing is said.
# With the clip first, or as tv_tensors.Video, it is as one would guess.
#   caption first: caption flipped, clip as it was; largest token 8e-18, clip is torch.uint8
#   clip first: caption as it was, clip flipped; largest token 8e+01, clip is torch.float32
#   clip as Video: caption as it was, clip flipped; largest token 8e+01, clip is torch.float32
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
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

tokens = torch.arange(77)
clip = torch.randint(0, 256, (8, 3, 32, 48), dtype=torch.uint8)
samples = {
    "caption first": {"caption": tokens, "clip": clip},
    "clip first": {"clip": clip, "caption": tokens},
    "clip as Video": {"caption": tokens, "clip": tv_tensors.Video(clip)},
}


def turned(got, given):
    flipped, kept = torch.equal(got, given.flip(-1)), torch.equal(got, given)
    assert flipped != kept
    return "flipped" if flipped else "as it was"


found = {}
for name, sample in samples.items():
    flipped = v2.RandomHorizontalFlip(1.0)(sample)
    scaled = v2.ToDtype(torch.float32, scale=True)(sample)
    largest = f"{float(scaled['caption'].max()):.1g}"
    found[name] = turned(flipped["caption"], tokens), turned(flipped["clip"], clip), largest, str(scaled["clip"].dtype)
    print(f"{name}: caption {found[name][0]}, clip {found[name][1]}; largest token {largest}, clip is {found[name][3]}")
assert found["caption first"] == ("flipped", "as it was", "8e-18", "torch.uint8")
assert found["clip first"] == found["clip as Video"] == ("as it was", "flipped", "8e+01", "torch.float32")
PYTHON
