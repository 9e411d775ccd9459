#!/usr/bin/env bash
# V-JEPA 2 has rotary places, no table that would fix a size, and its authors' code counts a clip's own rows and columns. Here a
# model whose configured crop_size is 64 pixels gets clips of other sizes; beside it stands one that is configured for each.
# Guess, written before the run: with equal weights they give equal features, or another size is refused.
#
# Seen (transformers 5.24.0, torch 2.13.0, 4 layers of random weights): neither. Places are counted by crop_size, not by the
# clip's size, without a word. Of a frame of 128 x 128 pixels every two rows of patches count as a frame of their own, so that
# 8 frames of 128 pixels have exactly the features of 32 frames of 64 pixels; small frames are joined to one, and a wide
# frame's rows are broken at the wrong column. Set crop_size in the config to the size of square clips; there is no setting
# for others.
#   64 x 64: differs by 0.00 of the features' norm
#   96 x 96: differs by 0.47 of the features' norm
#   128 x 128: differs by 0.45 of the features' norm
#   32 x 32: differs by 0.45 of the features' norm
#   128 x 128, 8 frames, against its strips as 32 frames of 64 x 64: differs by 0.00 of the features' norm
#   64 x 128, 8 frames, against its strips as 16 frames of 64 x 64: differs by 0.00 of the features' norm
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.24.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from transformers import VJEPA2Config, VJEPA2Model

PATCH, SIZE, FRAMES = 16, 64, 8
small = {"hidden_size": 96, "num_attention_heads": 4, "num_hidden_layers": 4}
shape = small | {f"pred_{name}": value for name, value in small.items()} | {"initializer_range": 0.2}


def configured_for(size):
    return VJEPA2Model(VJEPA2Config(patch_size=PATCH, crop_size=size, frames_per_clip=FRAMES, **shape)).eval()


@torch.no_grad()
def differs(kind, one, other):
    one, other = (model.get_vision_features(clip) for model, clip in (one, other))
    by = float((one - other).norm() / other.norm())
    print(f"{kind}: differs by {by:.2f} of the features' norm")
    return by


def strips(clip):
    """Return a clip of SIZE x SIZE pixels that has the patches of another one in the same order."""
    _, frames, _, height, width = clip.shape
    rows, columns, side = height // PATCH, width // PATCH, SIZE // PATCH
    patches = clip.view(1, frames // 2, 2, 3, rows, PATCH, columns, PATCH).permute(0, 1, 4, 6, 2, 3, 5, 7)
    patches = patches.reshape(1, -1, side, side, 2, 3, PATCH, PATCH)
    return patches.permute(0, 1, 4, 5, 2, 6, 3, 7).reshape(1, -1, 3, SIZE, SIZE)


torch.manual_seed(0)
model = configured_for(SIZE)
for size in (64, 96, 128, 32):
    right = configured_for(size)
    right.load_state_dict(model.state_dict())
    clip = torch.randn(1, FRAMES, 3, size, size)
    by = differs(f"{size} x {size}", (model, clip), (right, clip))
    assert by < 1e-5 if size == SIZE else by > 0.2, by
for height, width, count in ((128, 128, 32), (64, 128, 16)):
    clip = torch.randn(1, FRAMES, 3, height, width)
    other = strips(clip)
    assert other.shape == (1, count, 3, SIZE, SIZE)
    kind = f"{height} x {width}, {FRAMES} frames, against its strips as {count} frames of {SIZE} x {SIZE}"
    assert differs(kind, (model, clip), (model, other)) < 1e-5
PYTHON
