#!/usr/bin/env bash
# Clips of a batch have different lengths, so a temporal transformer gets their padding as `src_key_padding_mask`. A clip
# that couldn't be read, or that a filter left without frames, is padding throughout.
# Guess, written before the run: a softmax over nothing gives NaN, so torch's transformer layer answers NaN for such a clip
# and one notices on the first batch of training.
#
# Seen (torch 2.13.0, CPU): training notices nothing, and the answer depends on how the same weights are called.
#   layer, training or with gradients:                 finite, the rest of the layer goes on (largest 2.95)
#   layer, eval() under no_grad (its fast path):       NaN
#   encoder of that layer, training or with gradients: finite (largest 2.72)
#   encoder, eval() under no_grad (nested tensors):    exactly 0
#   encoder, the same, enable_nested_tensor=False:     NaN
# Clips with frames get the same numbers on all five ways at their own frames. At padded frames the nested encoder
# gives 0 and the others don't, so a mean over all frames, right or wrong, is another number in training than in evaluation.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from torch import nn

torch.manual_seed(0)
frames = torch.randn(2, 8, 16)
padding = torch.zeros(2, 8, dtype=torch.bool)
padding[0, 6:] = True
padding[1] = True  # a clip without frames
layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True)


def answers(module):
    module.train()
    trained = module(frames, src_key_padding_mask=padding).detach()
    module.eval()
    with torch.no_grad():
        evaluated = module(frames, src_key_padding_mask=padding)
    torch.testing.assert_close(trained[0, :6], evaluated[0, :6], rtol=1e-4, atol=1e-5)
    return trained, evaluated


for name, module, expected in (
    ("layer", layer, "NaN"),
    ("encoder", nn.TransformerEncoder(layer, 2), "0"),
    ("encoder, not nested", nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), "NaN"),
):
    trained, evaluated = answers(module)
    empty = evaluated[1]
    seen = "NaN" if empty.isnan().all() else "0" if (empty == 0).all() else "finite"
    print(f"{name}: training {trained[1].abs().max():.2f}, evaluation {seen}, "
          f"padded frames of the other clip {evaluated[0, 6:].abs().max():.2f} (training {trained[0, 6:].abs().max():.2f})")
    assert trained.isfinite().all() and seen == expected, (name, seen)
PYTHON
