#!/usr/bin/env bash
# TimeSformer's checkpoints are for 8 frames; Hugging Face's model stretches their time embeddings to as many frames as a clip
# has, so longer and shorter clips are meant to pass. A model built for 8 frames gets clips of 4 to 32; beside it stands one
# built for just that many, with the same weights and with the time embeddings stretched in the same way.
# Guess, written before the run: the two give the same features, since the number of frames sets no other weight's size.
#
# Seen (transformers 5.23.0, torch 2.13.0, 4 layers of random weights): only for 8 frames. The blocks divide a clip's tokens by
# the configured number of frames, not by the clip's: of 16 frames they make 8 with twice the patches, of 4 they make 8 with
# half of them, so that attention "over time" runs over parts of a patch's frames, or over two patches', and attention "within
# a frame" joins frames that lie apart. There is no warning; where the patches don't come out even, an error about shapes.
# Clips must be sampled to the configured number, or the config changed before the model is built.
#   4 frames: differs by 0.11 of the largest value
#   8 frames: the same
#   10 frames: RuntimeError
#   12 frames: differs by 0.05 of the largest value
#   16 frames: differs by 0.04 of the largest value
#   32 frames: differs by 0.07 of the largest value
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q transformers==5.23.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import torch
import torch.nn.functional as F
from transformers import TimesformerConfig, TimesformerModel

SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 2}
PIXELS = {"image_size": 112, "patch_size": 8}  # 14 x 14 patches, as at 224 pixels with patches of 16
TIMES = "embeddings.time_embeddings"


def built_for(frames):
    return TimesformerModel(TimesformerConfig(**SIZES, **PIXELS, num_frames=frames)).eval()


@torch.no_grad()
def feature(model, clip):
    return model(clip).last_hidden_state[:, 0]


torch.manual_seed(0)
model = built_for(8)
with torch.no_grad():
    for weights in model.parameters():
        if weights.ndim > 1:
            weights.normal_(std=0.2)

for frames, same in {4: False, 8: True, 10: None, 12: False, 16: False, 32: False}.items():
    clip = torch.randn(2, frames, 3, 112, 112)
    stretched = F.interpolate(model.state_dict()[TIMES].mT, size=frames, mode="nearest").mT
    meant = built_for(frames)
    meant.load_state_dict(model.state_dict() | {TIMES: stretched})
    expected = feature(meant, clip)
    try:
        found = feature(model, clip)
    except RuntimeError:
        print(f"{frames} frames: RuntimeError")
        assert same is None
        continue
    difference = float((found - expected).abs().max() / expected.abs().max())
    assert (difference == 0) if same else difference > 0.02, difference
    print(f"{frames} frames: {'the same' if same else f'differs by {difference:.2f} of the largest value'}")
PYTHON
