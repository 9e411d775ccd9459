#!/usr/bin/env bash
# PE-Video (Perception Encoder with text, in transformers) has a scale, a bias and a sigmoid loss of pairs, as SigLIP has.
# Guess, written before the run: with return_loss=True, matching pairs are pulled together and all others pushed apart.
#
# Seen (transformers 5.24.0, torch 2.13.0): pairs that don't match are labelled 0, not -1, and 0 times their logit is what the
# sigmoid sees. Whatever they score, each adds log(2), and the loss has no gradient there. What is trained by it does best by
# calling everything alike: the bias alone rises on and on, where SigLIP's loss lowers it. The functions get_text_features and
# get_video_features stand inside __init__, so that the model has neither.
#   loss of 3 pairs: 2.08 = 0.69 of the 3 that match + 1.39 of the 6 that don't; gradient at those 6: 0
#   bias after 40 steps: 4.4 by this loss, -0.6 by SigLIP's
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 timm==1.0.31 transformers==5.24.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import math
import subprocess
import sys

import torch
import torch.nn.functional as F

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from transformers import PeVideoConfig, PeVideoModel

torch.manual_seed(0)
ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
small = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
vision = {"architecture": "vit_pe_core_tiny_patch16_384", "num_classes": 16, "model_args": {"img_size": 32, "depth": 1}}
config = PeVideoConfig(
    text_config={"model_type": "modernbert", "vocab_size": 100} | small | ids,
    video_config={"vision_config": vision, "head_dim": 16} | small,
)
model = PeVideoModel(config).eval()
with torch.no_grad():
    model.text_video_logit_scale.fill_(1.0)
pairs = {"input_ids": torch.randint(3, 100, (3, 6)), "pixel_values_videos": torch.randn(3, 2, 3, 32, 32)}


def scored():
    """Return the loss and the logits (videos x texts), whose gradient is kept."""
    found = model(**pairs, return_loss=True)
    found.logits_video_text.retain_grad()
    return found.loss, found.logits_video_text


loss, logits = scored()
matching = torch.eye(3, dtype=torch.bool)
of_matching = -F.logsigmoid(logits[matching]).sum().item() / 3
loss.backward()
at_others = logits.grad[~matching].abs().max().item()
print(
    f"loss of 3 pairs: {loss:.2f} = {of_matching:.2f} of the 3 that match + {loss - of_matching:.2f} of the 6 that don't;"
    f" gradient at those 6: {at_others:.0f}"
)
assert math.isclose(loss.item() - of_matching, 6 * math.log(2) / 3, abs_tol=1e-5) and at_others == 0


def bias_after(steps, loss_of):
    """Return the bias after training it alone."""
    with torch.no_grad():
        model.text_video_logit_bias.zero_()
    optimizer = torch.optim.Adam([model.text_video_logit_bias], lr=0.2)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(*scored()).backward()
        optimizer.step()
    return model.text_video_logit_bias.item()


theirs = bias_after(40, lambda loss, logits: loss)
siglip = bias_after(40, lambda loss, logits: -F.logsigmoid((2 * matching.float() - 1) * logits).sum() / 3)
print(f"bias after 40 steps: {theirs:.1f} by this loss, {siglip:.1f} by SigLIP's")
assert theirs > 2 and siglip < 0
assert not hasattr(model, "get_video_features") and not hasattr(model, "get_text_features")
PYTHON
