#!/usr/bin/env bash
# Recognition is tested on several clips of a video, spread from its first second to its last: X3D, MViT and ViViT take 4 to 10.
# pytorchvideo's sampler for this is `constant_clips_per_video`.
# Guess, written before the run: one clip lies in the middle, two are the first and the last, ten reach from start to end.
#
# Seen (pytorchvideo 0.1.5), clips of 2 s from a video of 10 s: the time that is left is divided by the number of clips, and not
# by the number of gaps between them. So one clip is always the first, and the end of the video is never seen.
#   1 clip:   0.0 to 2.0
#   2 clips:  0.0 to 2.0, 4.0 to 6.0
#   4 clips:  0.0 to 2.0, 2.0 to 4.0, 4.0 to 6.0, 6.0 to 8.0
#   10 clips: from 0.0 to 9.2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 pytorchvideo==0.1.5 av==18.1.0
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import subprocess
import sys

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from pytorchvideo.data.clip_sampling import make_clip_sampler

SEEN = {1: (0.0, 2.0), 2: (4.0, 6.0), 4: (6.0, 8.0), 10: (7.2, 9.2)}
LENGTH, CLIP = 10.0, 2.0

for count, last in SEEN.items():
    sampler, clips = make_clip_sampler("constant_clips_per_video", CLIP, count), []
    while not clips or not clips[-1].is_last_clip:
        clips.append(sampler(clips[-1].clip_end_sec if clips else 0.0, LENGTH, {}))
    times = [tuple(round(float(time), 2) for time in (clip.clip_start_sec, clip.clip_end_sec)) for clip in clips]
    print(f"{count} clips: " + ", ".join(f"{start} to {end}" for start, end in times))
    assert len(times) == count and times[0] == (0.0, 2.0) and times[-1] == last
PYTHON
