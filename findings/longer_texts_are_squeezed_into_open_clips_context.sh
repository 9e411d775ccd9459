#!/usr/bin/env bash
# Long-CLIP and its kin read texts of 248 tokens; their files have the names of CLIP's tensors, so one gives such a file to
# open_clip as the weights of the architecture that it was made from, whose texts have 77. Here two small architectures differ
# in that alone, and the file of the longer is loaded into the shorter.
# Guess of one who hasn't read the loader, written before the run: create_model is strict, so the table of text positions, 248
# rows for 77, is an error; if not, the first 77 rows are taken, and short texts are embedded as before.
#
# Seen (open_clip 3.3.0, torch 2.13.0): neither. The 248 rows are interpolated to 77, so that the second token of a text is read
# at about the place of the fifth, the tenth at that of the thirty-first. No warning, only a line in a log of level INFO, which
# isn't shown by default. Both models embed the same images alike and the same short texts differently.
#   rows of the table: 77, as if interpolated: True; warnings: 0
#   images: equal; cosines of three short texts, long model against short: 0.91, 0.76, 0.91
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q open_clip_torch==3.3.0 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import json
import subprocess
import sys
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import open_clip

VISION = {"image_size": 32, "patch_size": 16, "width": 64, "layers": 2}
TEXT = {"vocab_size": 49408, "width": 64, "heads": 2, "layers": 2}
for name, words in (("short-texts", 77), ("long-texts", 248)):
    config = {"embed_dim": 32, "vision_cfg": VISION, "text_cfg": TEXT | {"context_length": words}}
    Path(f"{name}.json").write_text(json.dumps(config))
open_clip.add_model_config(Path.cwd())

torch.manual_seed(0)
long = open_clip.create_model("long-texts").eval()
torch.save(long.state_dict(), "long.pt")
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    short = open_clip.create_model("short-texts", pretrained="long.pt").eval()

table = short.positional_embedding.detach()
interpolated = F.interpolate(long.positional_embedding.detach().T[None], size=77, mode="linear")[0].T
squeezed = torch.allclose(table, interpolated, atol=1e-6)
assert not torch.allclose(table, long.positional_embedding[:77])
print(f"rows of the table: {len(table)}, as if interpolated: {squeezed}; warnings: {len(warned)}")
assert squeezed and not warned

ids = open_clip.get_tokenizer("short-texts")(["a dog catches a frisbee", "a cat sleeps", "two people dance in the rain"])
images = torch.randn(2, 3, 32, 32)
with torch.no_grad():
    assert torch.equal(long.encode_image(images), short.encode_image(images))
    as_trained = long.encode_text(F.pad(ids, (0, 248 - 77)), normalize=True)
    cosines = (as_trained * short.encode_text(ids, normalize=True)).sum(-1).tolist()
told = ", ".join(f"{one:.2f}" for one in cosines)
print(f"images: equal; cosines of three short texts, long model against short: {told}")
assert max(cosines) < 0.97
PYTHON
