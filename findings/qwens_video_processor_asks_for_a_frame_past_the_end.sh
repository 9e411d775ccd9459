#!/usr/bin/env bash
# Qwen2-VL and Qwen2.5-VL describe videos at 2 frames per second; captions made so are training data for video retrieval.
# Their processor in transformers is given films of 100 to 2,999 frames, and asked for 2 frames per second.
# Guess, written before the run: it gives an even number of frames (it takes them in pairs), all of them in the film.
#
# Seen (transformers 5.24.0, torch 2.13.0): indices are torch.arange(0, frames, frames / wanted) in single precision. For some
# lengths the sum of the steps rounds to just below the end, so arange gives one index more, and it is the number of
# frames: one past the last. Of the 2,900 lengths 47 fail at 24 frames per second, 28 at 25 and 3 at 30, with an IndexError
# that names no film. VideoLLaMA 3's processor computes its indices in the same way.
#   24 frames per second: 47 lengths, the first 367
#   25 frames per second: 28 lengths, the first 382
#   30 frames per second: 3 lengths, the first 230
#   382 frames at 25 per second: 31 indices, the last 382
#   the processor on such a film: IndexError: index 382 is out of bounds for dimension 0 with size 382
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 transformers==5.24.0 pillow==12.3.0 numpy==2.4.6
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - <<'PYTHON'
import subprocess
import sys

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
from transformers.video_utils import VideoMetadata

processor = Qwen2VLVideoProcessor()


def indices(frames, rate):
    about = VideoMetadata(total_num_frames=frames, fps=rate, duration=frames / rate)
    return processor.sample_frames(about, fps=2).tolist()


found = {}
for rate in (24, 25, 30):
    past = [frames for frames in range(100, 3000) if indices(frames, rate)[-1] >= frames]
    found[rate] = len(past), past[0]
    print(f"{rate} frames per second: {len(past)} lengths, the first {past[0]}")
drawn = indices(382, 25)
print(f"382 frames at 25 per second: {len(drawn)} indices, the last {drawn[-1]}")
about = VideoMetadata(total_num_frames=382, fps=25, duration=382 / 25)
try:
    film = torch.zeros(382, 3, 56, 56, dtype=torch.uint8)
    processor(videos=[film], fps=2, do_sample_frames=True, video_metadata=[about], return_tensors="pt")
    said = "no error"
except IndexError as error:
    said = f"IndexError: {error}"
print("the processor on such a film:", said)
assert found == {24: (47, 367), 25: (28, 382), 30: (3, 230)}
assert (len(drawn), drawn[-1]) == (31, 382)
assert said == "IndexError: index 382 is out of bounds for dimension 0 with size 382"
PYTHON
