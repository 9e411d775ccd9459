#!/usr/bin/env bash
# LanguageBind embeds a film with the processor that its README shows: model(**processor(film)). One film whose left half is
# red and whose right half is blue goes through that processor 64 times, with each of the three decoders that a config may
# name. The processor's source was met in another library, which takes a step out of it, before this was run.
# Guess, written before that: what is prepared for inference is the same each time.
#
# Seen (languagebind 0.1.0, torchvision 0.28.0): the last step of all three is a horizontal flip with probability .5, and
# nothing tells training from inference. About every second time, left is right: a film has two embeddings, an index made
# twice differs, and "moving to the left" is searched among mirrored films.
#   opencv: 64 times the same film: mirrored about every second time
#   decord: 64 times the same film: mirrored about every second time
#   pytorchvideo: the flip is its last step, too
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q languagebind==0.1.0 torch==2.13.0 torchvision==0.28.0 transformers==4.45.2 \
    pytorchvideo==0.1.5 decord==0.6.0 opencv-python-headless==4.12.0.88 peft==0.13.2 einops==0.8.2 numpy==2.2.6 \
    setuptools==80.9.0
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import subprocess
import sys
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import torchvision.transforms.functional

# where pytorchvideo 0.1.5 still looks for it
sys.modules["torchvision.transforms.functional_tensor"] = torchvision.transforms.functional
# the package alone, as its first import loads the part for audio, too, which needs torchaudio
package = ModuleType("languagebind")
package.__path__ = find_spec("languagebind").submodule_search_locations
sys.modules["languagebind"] = package
from languagebind.video.processing_video import LanguageBindVideoProcessor, get_video_transform

WIDTH, HEIGHT, TIMES = 320, 240, 64
film = cv2.VideoWriter("film.avi", cv2.VideoWriter_fourcc(*"MJPG"), 8, (WIDTH, HEIGHT))
picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
picture[:, : WIDTH // 2, 2], picture[:, WIDTH // 2 :, 0] = 255, 255  # red at the left, blue at the right
for _ in range(16):
    film.write(picture)
film.release()


def config(decoder):
    return SimpleNamespace(vision_config=SimpleNamespace(video_decode_backend=decoder, num_frames=8))


torch.manual_seed(0)
for decoder in ("opencv", "decord"):
    processor = LanguageBindVideoProcessor(config(decoder))
    pixels = [processor(["film.avi"])["pixel_values"] for _ in range(TIMES)]
    mirrored = sum(bool(one[0, 0, 0, 112, 20] < one[0, 0, 0, 112, 200]) for one in pixels)
    assert all(torch.equal(one, pixels[0]) or torch.equal(one, pixels[0].flip(-1)) for one in pixels)
    assert TIMES / 4 < mirrored < TIMES * 3 / 4, mirrored
    print(f"{decoder}: {TIMES} times the same film: mirrored about every second time")
steps = get_video_transform(config("pytorchvideo"))._transform.transforms
assert "Flip" in type(steps[-1]).__name__ and steps[-1].p == 0.5
print("pytorchvideo: the flip is its last step, too")
PYTHON
