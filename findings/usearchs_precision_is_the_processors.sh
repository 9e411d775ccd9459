#!/usr/bin/env bash
# A video index holds many frames of one still shot, whose vectors differ little. usearch gets 100 such unit vectors of
# 32-bit floats (cosine distances of about 1e-4), and is asked for the exact order of their distances from one of them.
# Guess, written before the run: an index made without a dtype keeps the precision of what it is given, so the order is right.
#
# Seen (usearch 2.26.6): Index(ndim, metric="cos") takes the precision that the processor at hand is quickest with: bfloat16
# on some, float16 on others, float32 on the rest. On one with bfloat16, each number is held to three digits, the order of
# the ten nearest is wrong and one of them is missing, with exact=True, too; so the same code ranks the same vectors
# differently on another machine. dtype="f32" gives the right order.
#   default dtype BF16: 9 of the 10 nearest right, in order: False; f32: 10 of 10, True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q usearch==2.26.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
from usearch.index import Index, ScalarKind

generator = np.random.default_rng(0)
shot = generator.standard_normal(64)
frames = shot + 0.01 * generator.standard_normal((100, 64))
frames = (frames / np.linalg.norm(frames, axis=1, keepdims=True)).astype(np.float32)
query = frames[0]
right = np.argsort(-(frames.astype(np.float64) @ query.astype(np.float64)))[:10]

seen = {}
for name in (None, "f32"):
    index = Index(ndim=64, metric="cos", dtype=name)
    index.add(np.arange(100), frames)
    found = index.search(query, 10, exact=True).keys
    seen[name] = index.dtype, len(set(found.tolist()) & set(right.tolist())), bool((found == right).all())
(kind, default, default_order), (_, exact, exact_order) = seen[None], seen["f32"]
print(f"default dtype {kind.name}: {default} of the 10 nearest right, in order: {default_order}; f32: {exact} of 10, {exact_order}")
assert exact_order
assert default_order == (kind == ScalarKind.F32)  # on a processor that has neither half precision, the default is exact
PYTHON
