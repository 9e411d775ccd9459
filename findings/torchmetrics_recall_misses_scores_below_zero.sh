#!/usr/bin/env bash
# Recall@k of a text-to-video search by torchmetrics. Cosines of texts and videos may be below zero, and logarithms of a
# softmax, as the dual softmax gives them, and negated distances always are.
# Guess, written before the run: only the order of the scores counts, so adding a constant to all of them changes nothing.
#
# Seen (torchmetrics 1.9.0): an item whose score is zero or less counts as not found, even in first place, without a word.
# Ten queries, each with its own video first: recall@1 is 1 with scores above zero and 0 with the same scores less 2. So do
# precision, reciprocal rank and average precision; hit rate and nDCG of the same scores stay 1. Shift scores above zero.
#   scores       RetrievalRecall 1, RetrievalPrecision 1, RetrievalMRR 1, RetrievalMAP 1, RetrievalHitRate 1, RetrievalNormalizedDCG 1
#   scores - 2   RetrievalRecall 0, RetrievalPrecision 0, RetrievalMRR 0, RetrievalMAP 0, RetrievalHitRate 1, RetrievalNormalizedDCG 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torchmetrics import retrieval

KINDS = ("Recall", "Precision", "MRR", "MAP", "HitRate", "NormalizedDCG")
scores = 0.1 + torch.eye(10)
right = torch.eye(10, dtype=torch.bool).flatten()
queries = torch.arange(10).repeat_interleave(10)
seen = {}
for name, given in (("scores", scores), ("scores - 2", scores - 2)):
    metrics = [getattr(retrieval, f"Retrieval{kind}")(top_k=1) for kind in KINDS]
    seen[name] = [float(metric(given.flatten(), right, indexes=queries)) for metric in metrics]
    print(f"{name:12s}", ", ".join(f"Retrieval{kind} {value:g}" for kind, value in zip(KINDS, seen[name])))
assert seen == {"scores": [1.0] * 6, "scores - 2": [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]}
PYTHON
