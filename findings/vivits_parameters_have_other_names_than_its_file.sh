#!/usr/bin/env bash
# Layers are frozen, given their own learning rates, or filled from a file by the names of parameters.
# Guess, written before the run: a model's parameters have the names that its saved file has, and that released files have.
#
# Seen (transformers 5.8.1 and 5.24.0, torch 2.13.0): since 5.9, ViViT's parameters are `layers.0.attention.q_proj.weight`, and
# what save_pretrained writes is `encoder.layer.0.attention.attention.query.weight`, as in released files: both are
# translated on the way. So freezing what begins with `encoder.layer.` freezes nothing, and load_state_dict of the file
# with strict=False, as where a head is new, fills a third of the tensors and leaves all blocks as they were drawn.
# Neither says a word. TimeSformer, V-JEPA 2 and X-CLIP have one set of names.
#   5.8.1: 24 of 24 names are the file's; frozen 16 tensors; the file's blocks are loaded: True
#   5.24.0: 8 of 24 names are the file's; frozen 0 tensors; the file's blocks are loaded: False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cd "$folder"
export HF_HUB_OFFLINE=1
for version in 5.8.1 5.24.0; do
  venv/bin/pip install -q transformers==$version torch==2.13.0 numpy==2.3.4
  venv/bin/python - 2>/dev/null <<'PYTHON'
import tempfile

import torch
import transformers
from safetensors.torch import load_file

sizes = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48)
config = transformers.VivitConfig(image_size=16, num_frames=4, tubelet_size=[2, 8, 8], **sizes)
model, other = transformers.VivitModel(config), transformers.VivitModel(config)
with tempfile.TemporaryDirectory() as folder:
    model.save_pretrained(folder)
    file = load_file(f"{folder}/model.safetensors")
    again = transformers.VivitModel.from_pretrained(folder).state_dict()
own = model.state_dict()
assert all(torch.equal(again[name], own[name]) for name in own)  # from_pretrained translates
frozen = [name for name, _ in model.named_parameters() if name.startswith("encoder.layer.")]
other.load_state_dict(file, strict=False)
weights = [name for name in own if name.endswith("mlp.fc1.weight") or name.endswith("intermediate.dense.weight")]
loaded = all(torch.equal(other.state_dict()[name], own[name]) for name in weights)
same = len(own.keys() & file.keys())
print(
    f"{transformers.__version__}: {same} of {len(own)} names are the file's; frozen {len(frozen)} tensors;"
    f" the file's blocks are loaded: {loaded}"
)
old = transformers.__version__ == "5.8.1"
assert len(weights) == 1 and (same, len(frozen), loaded) == ((24, 16, True) if old else (8, 0, False))
PYTHON
done
