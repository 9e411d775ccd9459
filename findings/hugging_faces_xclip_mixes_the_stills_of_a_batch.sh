#!/usr/bin/env bash
# A library of videos and stills is embedded by one video model, so stills go in as clips of one frame. Hugging Face's X-CLIP,
# built for 8 frames, gets batches of such clips; then all but the first clip of each batch are replaced by others.
# Guess, written before the run: it takes them, and the first clip's feature stays as it is, or it refuses: 1 is not 8 frames.
#
# Seen (transformers 5.23.0, torch 2.13.0, 12 layers of random weights): it takes them where the batch is a multiple of 8. It
# folds the batch by the configured number of frames, not by the clips' own, so that its message tokens pass between eight
# clips that have nothing in common: a still's feature depends on its neighbours in the batch, without a word, and a batch of
# another size, as the last one mostly is, or a still alone, raises an error about shapes. Clips of 8 frames are unharmed.
#   clips of 8 frames, batch of 8: the first feature changes by 0.000 of its largest value
#   clips of 1 frame, batch of 8: the first feature changes by 0.036 of its largest value
#   clips of 1 frame, batch of 16: the first feature changes by 0.051 of its largest value
#   clips of 1 frame, batch of 9: RuntimeError
#   clips of 1 frame, batch of 1: RuntimeError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q transformers==5.23.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import torch
from transformers import XCLIPConfig, XCLIPModel

torch.manual_seed(0)
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 12, "num_attention_heads": 2}
MIT = {"mit_" + name: value for name, value in SIZES.items()}
model = XCLIPModel(
    XCLIPConfig(
        text_config=SIZES | {"vocab_size": 100, "bos_token_id": 1, "eos_token_id": 2},
        vision_config=SIZES | MIT | {"image_size": 32, "patch_size": 8, "num_frames": 8},
        projection_dim=32,
        prompt_num_attention_heads=2,
    )
).eval()
with torch.no_grad():
    for weights in model.parameters():
        if weights.ndim > 1:
            weights.normal_(std=0.2)


@torch.no_grad()
def first(clips):
    features = model.get_video_features(pixel_values=clips)
    return getattr(features, "pooler_output", features)[0]


for frames, batch, mixed in ((8, 8, False), (1, 8, True), (1, 16, True), (1, 9, None), (1, 1, None)):
    clips = torch.randn(batch, frames, 3, 32, 32)
    others = torch.cat([clips[:1], torch.randn_like(clips[1:])])
    said = f"clips of {frames} frame{'s' * (frames > 1)}, batch of {batch}: "
    try:
        before, after = first(clips), first(others)
    except RuntimeError:
        print(f"{said}RuntimeError")
        assert mixed is None
        continue
    change = float((before - after).abs().max() / before.abs().max())
    print(f"{said}the first feature changes by {change:.3f} of its largest value")
    assert mixed is (change > 0.01), change
PYTHON
