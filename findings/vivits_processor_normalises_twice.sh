#!/usr/bin/env bash
# ViViT reads pixels from -1 to 1. Its image processor in transformers scales by 1 / 127.5 and subtracts 1, which gives that.
# Guess, written before the run: with its default settings, black becomes -1 and white 1.
#
# Seen (transformers 4.57.1; the same with 5.24.0): it then normalises by .5 and .5 as well, which is on by default, so black
# becomes -3, middle grey -1 and white 1: twice the contrast, and darker. VideoMAE's, whose means are the same, gives -1 to 1.
# A model that is loaded without its preprocessor_config.json, or trained with the default, reads such pixels.
#   VivitImageProcessor: black -3.00, grey -1.01, white 1.00
#   VideoMAEImageProcessor: black -1.00, grey -0.00, white 1.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q transformers==4.57.1 numpy==2.3.4 pillow==12.0.0
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from transformers import VideoMAEImageProcessor, VivitImageProcessor

video = [np.full((224, 224, 3), level, np.uint8) for level in (0, 127, 255)]
seen = {}
for kind in (VivitImageProcessor, VideoMAEImageProcessor):
    pixels = np.asarray(kind()(video, return_tensors="np")["pixel_values"])[0]
    seen[kind.__name__] = [round(float(frame.mean()), 2) for frame in pixels]
    print(f"{kind.__name__}:", ", ".join(f"{name} {value:.2f}" for name, value in zip(("black", "grey", "white"), seen[kind.__name__])))
assert seen == {"VivitImageProcessor": [-3.0, -1.01, 1.0], "VideoMAEImageProcessor": [-1.0, -0.0, 1.0]}
PYTHON
