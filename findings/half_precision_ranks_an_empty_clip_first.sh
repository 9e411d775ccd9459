#!/usr/bin/env bash
# Libraries of clip embeddings are often kept and normalised in half precision. A clip that couldn't be read is then often
# stored as a row of zeros, and `F.normalize` documents an eps against division by zero.
# Guess, written before the run: zeros stay zeros in every precision, score 0 against every query, and so rank near the
# middle or last.
#
# Seen (torch 2.13.0, numpy 2.4.6, CPU): true in float32 and bfloat16. In float16 the eps of 1e-12 is itself 0 (the
# smallest number is 6e-8), so the row becomes NaN; `torch.topk` takes NaN for the largest score, and the empty clip is
# the first answer to every query. cosine_similarity's eps of 1e-8 is lost in the same way.
#   float32:  norm 0.0, topk's first clip 3, numpy's first clip 3
#   bfloat16: norm 0.0, topk's first clip 3, numpy's first clip 3
#   float16:  norm nan, topk's first clip 7 (the empty one), numpy's argsort first clip 3, its argmax 7
# So whether it is found first depends on the precision and on the function that sorts, too: numpy sorts NaN to the end,
# where descending order by `argsort(-scores)` wants it, but `argmax` returns it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import math

import numpy as np
import torch
from torch.nn import functional as F

EMPTY, RIGHT = 7, 3
drawn = torch.randn(10, 64, generator=torch.Generator().manual_seed(0))
query = F.normalize(drawn[RIGHT], dim=0)
drawn[EMPTY] = 0

for precision in (torch.float32, torch.bfloat16, torch.float16):
    clips = F.normalize(drawn.to(precision), dim=1)
    scores = (clips.float() @ query).float()
    first = int(scores.topk(1).indices)
    sorted_first, largest = int(np.argsort(-scores.numpy())[0]), int(np.argmax(scores.numpy()))
    norm = float(clips[EMPTY].float().norm())
    alike = float(F.cosine_similarity(drawn[EMPTY].to(precision), query.to(precision), dim=0))
    print(f"{precision}: norm {norm}, topk {first}, argsort {sorted_first}, argmax {largest}, cosine_similarity {alike}")
    half = precision == torch.float16
    assert math.isnan(norm) == math.isnan(alike) == half and sorted_first == RIGHT
    assert first == largest == (EMPTY if half else RIGHT)
PYTHON
