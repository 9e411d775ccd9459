#!/usr/bin/env bash
# Noise is an augmentation, and Albumentations takes a clip as images=. Sensor noise differs from frame to frame: the mean over
# eight frames has a third of one frame's. The clip here is one picture shown eight times.
# Guess, written before the run: a flip or a crop is the same in all frames, noise is drawn anew for each.
#
# Seen (albumentations 2.0.8, kornia 0.9.0, torchvision 0.28.0): Albumentations draws it once for a clip. Its noise, lost
# pixels, snow and rain stand still, so a model of time is shown a dirty lens, and a still stays a still. torchvision's
# GaussianNoise is drawn for each frame; kornia asks (same_on_frame), but its snow falls on the same places either way.
#   noise left in the mean of 8 frames: albumentations 1.00, torchvision 0.35, kornia 1.00 or 0.36
#   standing still in albumentations: GaussNoise, ISONoise, ShotNoise, PixelDropout, SaltAndPepper, RandomRain, RandomSnow
#   kornia with same_on_frame=False: noise False, salt and pepper False, rain False, snow True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q albumentations==2.0.8 kornia==0.9.0 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
cd "$folder"
NO_ALBUMENTATIONS_UPDATE=1 "$folder/venv/bin/python" - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import subprocess
import sys

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import albumentations
import kornia.augmentation as kornia
import numpy as np
from torchvision import tv_tensors
from torchvision.transforms import v2

torch.manual_seed(0)
picture = np.random.default_rng(0).integers(90, 166, (64, 96, 3), np.uint8)
clip = np.repeat(picture[None], 8, 0)
floats = torch.from_numpy(clip).permute(0, 3, 1, 2) / 255


def left(noisy):
    """Return the noise in the mean of all frames, as a share of that in one."""
    noise = np.asarray(noisy) - np.asarray(floats)
    return round(float(noise.mean(0).std() / noise[0].std()), 2)


def still(frames):
    return bool((np.asarray(frames) == np.asarray(frames)[:1]).all())


def by_albumentations(name):
    return albumentations.Compose([getattr(albumentations, name)(p=1.0)], seed=0)(images=clip)["images"]


def by_kornia(name, same):
    changed = kornia.VideoSequential(getattr(kornia, name)(p=1.0), data_format="BTCHW", same_on_frame=same)
    return changed(floats[None])[0]


noisy = by_albumentations("GaussNoise").transpose(0, 3, 1, 2) / 255
found = left(noisy), left(v2.GaussianNoise(sigma=0.05, clip=False)(tv_tensors.Video(floats)))
asked = left(by_kornia("RandomGaussianNoise", True)), left(by_kornia("RandomGaussianNoise", False))
print("noise left in the mean of 8 frames: albumentations {:.2f}, torchvision {:.2f}, kornia {:.2f} or {:.2f}".format(*found, *asked))
assert found[0] == asked[0] == 1.0 and found[1] < 0.4 and asked[1] < 0.4
KINDS = ("GaussNoise", "ISONoise", "ShotNoise", "PixelDropout", "SaltAndPepper", "RandomRain", "RandomSnow")
stood = [name for name in KINDS if still(by_albumentations(name))]
print("standing still in albumentations:", ", ".join(stood))
assert stood == list(KINDS)
names = {"noise": "GaussianNoise", "salt and pepper": "SaltAndPepperNoise", "rain": "Rain", "snow": "Snow"}
stands = {name: still(by_kornia("Random" + kind, False)) for name, kind in names.items()}
print("kornia with same_on_frame=False:", ", ".join(f"{name} {true}" for name, true in stands.items()))
assert stands == {"noise": False, "salt and pepper": False, "rain": False, "snow": True}
PYTHON
