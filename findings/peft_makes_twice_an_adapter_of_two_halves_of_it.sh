#!/usr/bin/env bash
# Weights between those of two trainings keep more of what either knows (model soups, WiSE-FT). With LoRA, the usual way
# to fit a CLIP to video with few weights, PEFT mixes adapters: add_weighted_adapter(adapters, weights, name), by default
# with combination_type="linear".
# Guess, written before the run: half of an adapter and half of an equal one are that adapter, whatever the type; half and
# half of two seeds' adapters change a layer by the mean of what the two change it by.
#
# Seen (peft 0.21.2, torch 2.13.0): "linear" mixes each of an adapter's two factors by itself, by the root of its weight,
# and multiplies them afterwards. Two halves of one adapter are twice the adapter, though the weights add up to one, and of
# two seeds' adapters the result holds products of one's first and the other's second factor, which belong to neither.
# "cat" gives the mean, of twice the rank; "svd" gives it, too, but keeps the rank, which two adapters' mean exceeds.
# Length of what comes out, as a share of the adapter's, and for two seeds the distance from the mean as a share of its own:
#   linear: half of one 0.50, two halves of one 2.00; two seeds 1.02 from their mean
#   cat: half of one 0.50, two halves of one 1.00; two seeds 0.00 from their mean
#   svd: half of one 0.50, two halves of one 1.00; two seeds 0.56 from their mean
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 peft==0.21.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import peft
import torch
from torch import nn

LORA = peft.LoraConfig(r=4, lora_alpha=4, target_modules=["0"])


def adapted():
    """One layer with an adapter of either seed, and a copy of the first."""
    torch.manual_seed(0)
    model = peft.get_peft_model(nn.Sequential(nn.Linear(64, 64, bias=False)), LORA, adapter_name="first")
    layer = model.base_model.model[0]
    for name in ("second", "copied"):
        model.add_adapter(name, LORA)
    for name in ("first", "second"):
        nn.init.normal_(layer.lora_A[name].weight)
        nn.init.normal_(layer.lora_B[name].weight)
    for factor in (layer.lora_A, layer.lora_B):
        factor["copied"].load_state_dict(factor["first"].state_dict())
    return model, layer


seen = {}
with torch.no_grad():
    for kind in ("linear", "cat", "svd"):
        model, layer = adapted()
        changes = layer.get_delta_weight
        first, mean = changes("first"), (changes("first") + changes("second")) / 2
        model.add_weighted_adapter(["first"], [0.5], "halved", combination_type=kind)
        model.add_weighted_adapter(["first", "copied"], [0.5, 0.5], "mixed", combination_type=kind)
        model.add_weighted_adapter(["first", "second"], [0.5, 0.5], "between", combination_type=kind)
        lengths = [changes(name).norm() / first.norm() for name in ("halved", "mixed")]
        off = (changes("between") - mean).norm() / mean.norm()
        seen[kind] = [round(float(one), 2) for one in (*lengths, off)]
        half, twice, far = seen[kind]
        print(f"{kind}: half of one {half:.2f}, two halves of one {twice:.2f}; two seeds {far:.2f} from their mean")
assert [seen[kind][:2] for kind in seen] == [[0.5, 2.0], [0.5, 1.0], [0.5, 1.0]]
assert seen["cat"][2] == 0 and seen["svd"][2] > 0.4 and seen["linear"][2] > 0.8
PYTHON
