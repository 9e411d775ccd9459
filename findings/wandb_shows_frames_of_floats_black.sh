#!/usr/bin/env bash
# Frames are floats from 0 to 1 in training. They are logged for a look, as a picture and as a clip: a third black, a third half
# grey, a third white.
# Guess, written before the run: wandb shows them as they are, whether picture or clip.
#
# Seen (wandb 0.22.3 and 0.31.0 with moviepy 2.2.1): wandb.Image of 0.22.3 stretches floats to 0 to 255, that of 0.31.0 casts
# them to whole numbers, without a word: all that is less than white is 0, and white is 1, so the picture is black. wandb.Video
# has the clip black with both; it logs that it has converted the data to uint8.
#   0.22.3: picture [0, 127, 255], brightest in the clip 1
#   0.31.0: picture [0, 1], brightest in the clip 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >logged.py <<'PYTHON'
import imageio.v3 as iio
import numpy as np
import wandb

frames = np.repeat(np.float32([0, 0.5, 1]), 32) * np.ones((6, 3, 64, 1), np.float32)
picture = wandb.Image(frames[0].transpose(1, 2, 0)).image
clip = iio.imread(wandb.Video(frames, fps=4, format="gif")._path)
values = np.unique(np.asarray(picture)).tolist()
print(f"{wandb.__version__}: picture {values}, brightest in the clip {int(np.asarray(clip).max())}")
PYTHON
for version in 0.22.3 0.31.0; do
    python3 -m venv "venv-$version"
    "venv-$version/bin/pip" install -q "wandb==$version" moviepy==2.2.1 imageio==2.38.1 numpy==2.4.6 pillow==11.3.0
    WANDB_MODE=offline "venv-$version/bin/python" logged.py 2>log | tee -a seen || { cat log; exit 1; }
done
diff seen - <<'SEEN'
0.22.3: picture [0, 127, 255], brightest in the clip 1
0.31.0: picture [0, 1], brightest in the clip 1
SEEN
