#!/usr/bin/env bash
# V-JEPA 2 reads pairs of frames and has rotary places, so that a clip may have any number of frames.
# Guess, written before the run: an odd number of frames is refused, or the last frame is repeated, as for a single one.
#
# Seen (transformers 5.24.0, torch 2.13.0): a single frame is repeated, but of 3, 9 or 15 frames the last is never read: another
# last frame gives the same features, and they are those of the clip without it.
#   frames read of 1: 1, of 2: 2, of 3: 2, of 8: 8, of 9: 8, of 15: 14, of 16: 16
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.24.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from transformers import VJEPA2Config, VJEPA2Model

torch.manual_seed(0)
small = {"hidden_size": 48, "num_attention_heads": 4, "num_hidden_layers": 2}
predictor = {f"pred_{name}": value for name, value in small.items()}
config = VJEPA2Config(patch_size=8, crop_size=32, frames_per_clip=16, **small, **predictor, pred_num_mask_tokens=2)
model = VJEPA2Model(config).eval()


@torch.no_grad()
def features(clip):
    return model.get_vision_features(clip)


read = {}
for count in (1, 2, 3, 8, 9, 15, 16):
    clip = torch.randn(1, count, 3, 32, 32)
    other = clip.clone()
    other[:, -1] += 5
    reads_last = not torch.equal(features(clip), features(other))
    read[count] = count if reads_last else count - 1
    if not reads_last:
        assert torch.equal(features(clip), features(clip[:, :-1]))
print("frames read of", ", of ".join(f"{count}: {seen}" for count, seen in read.items()))
assert read == {1: 1, 2: 2, 3: 2, 8: 8, 9: 8, 15: 14, 16: 16}
one = torch.randn(1, 1, 3, 32, 32)
assert torch.equal(features(one), features(one.repeat(1, 2, 1, 1, 1)))
PYTHON
