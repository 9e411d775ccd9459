#!/usr/bin/env bash
# Texts of one length, or a single one, need no padding, so that the attention mask may be left out.
# Guess, written before the run: VideoPrism embeds them as with a mask of ones, as CLIP and SigLIP in transformers do.
#
# Seen (transformers 5.24.0, torch 2.13.0): its text tower makes its causal mask only where it is given a mask. Without one,
# each token also sees those behind it, and the embedding is another.
#   cosine of a text's embedding without a mask and with a mask of ones: CLIP 1.000, SigLIP 1.000, VideoPrism 0.994
#   another last word changes what VideoPrism makes of the first: with a mask no, without one yes
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.24.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
import torch.nn.functional as F
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, SiglipTextConfig, SiglipTextModel
from transformers import VideoPrismClipModel, VideoPrismConfig

torch.manual_seed(0)
shared = {"hidden_size": 24, "intermediate_size": 48, "num_attention_heads": 2}
text = shared | {"num_hidden_layers": 2, "vocab_size": 100, "max_position_embeddings": 8}
ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
layers = {"num_spatial_layers": 1, "num_temporal_layers": 1, "num_auxiliary_layers": 1}
vision = {"image_size": 16, "num_frames": 4, "tubelet_size": [1, 8, 8]} | layers | shared
videoprism = VideoPrismClipModel(VideoPrismConfig(vision_config=vision, text_config=text)).eval()
clip = CLIPTextModelWithProjection(CLIPTextConfig(**text, **ends)).eval()
siglip = SiglipTextModel(SiglipTextConfig(**text, **ends)).eval()
generator = torch.Generator().manual_seed(1)
for model in (videoprism, clip, siglip):
    with torch.no_grad():
        for parameter in model.parameters():  # some start at zero
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
embed = {
    "CLIP": lambda ids, **given: clip(ids, **given).text_embeds,
    "SigLIP": lambda ids, **given: siglip(ids, **given).pooler_output,
    "VideoPrism": lambda ids, **given: videoprism.get_text_features(ids, **given).pooler_output,
}
ids = torch.randint(3, 100, (1, 6), generator=generator)
ones = torch.ones_like(ids)
with torch.no_grad():
    alike = {
        name: F.cosine_similarity(of(ids), of(ids, attention_mask=ones)).item() for name, of in embed.items()
    }
    other = ids.clone()
    other[0, -1] = 3 + (ids[0, -1] + 1) % 90
    changes = {}
    for masked, given in ((True, {"attention_mask": ones}), (False, {})):
        first = [videoprism.text_model(x, **given).last_hidden_state[0, 0] for x in (ids, other)]
        changes[masked] = not torch.allclose(*first, atol=1e-5)
print(
    "cosine of a text's embedding without a mask and with a mask of ones: "
    + ", ".join(f"{name} {cosine:.3f}" for name, cosine in alike.items())
)
said = {True: "yes", False: "no"}
print(
    "another last word changes what VideoPrism makes of the first: with a mask"
    f" {said[changes[True]]}, without one {said[changes[False]]}"
)
assert alike["CLIP"] > 1 - 1e-5 and alike["SigLIP"] > 1 - 1e-5 and alike["VideoPrism"] < 0.999
assert changes == {True: False, False: True}
PYTHON
