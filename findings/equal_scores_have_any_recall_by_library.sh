#!/usr/bin/env bash
# A model whose training has collapsed gives every video the same score. Ten queries, ten videos, all scores equal, each
# query's own video written first in its run, as multiple-choice sets are; three libraries compute recall@1.
# Guess, written before the run: 10 %, the chance of a right guess, or 100 % for all that take the first of equals.
#
# Seen (ranx 0.3.21, pytrec_eval-terrier 0.5.11, torchmetrics 1.9.0): 100 % by ranx, which keeps the order in which a run
# was written; 10 % by pytrec_eval, which puts equals in falling order of their names, so the answer depends on what the
# videos are called (100 % if the right one's name is the last); 0 % by torchmetrics, if the score is zero. None warns.
#   ranx 1.0, pytrec_eval 0.1, pytrec_eval with the right video's name last 1.0, torchmetrics 0.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q ranx==0.3.21 pytrec_eval-terrier==0.5.11 torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import pytrec_eval
import ranx
import torch
from torchmetrics.retrieval import RetrievalRecall

names = [f"video{number}" for number in range(10)]
right = {f"query{number}": {name: 1} for number, name in enumerate(names)}


def run(wanted):
    """Return equal scores, the right video written first."""
    return {query: dict.fromkeys(sorted(names, key=lambda name: name != wanted(query)), 0.0) for query in right}


def by_pytrec_eval(right, scores):
    measured = pytrec_eval.RelevanceEvaluator(right, {"recall.1"}).evaluate(scores)
    return float(np.mean([one["recall_1"] for one in measured.values()]))


first = run(lambda query: next(iter(right[query])))
last = {query: {"video9": 1} for query in right}
queries = torch.arange(10).repeat_interleave(10)
seen = {
    "ranx": float(ranx.evaluate(ranx.Qrels(right), ranx.Run(first), "recall@1")),
    "pytrec_eval": by_pytrec_eval(right, first),
    "pytrec_eval with the right video's name last": by_pytrec_eval(last, run(lambda query: "video9")),
    "torchmetrics": float(RetrievalRecall(top_k=1)(torch.zeros(100), torch.eye(10).bool().flatten(), indexes=queries)),
}
print(", ".join(f"{name} {value:.1f}" for name, value in seen.items()))
assert [round(value, 3) for value in seen.values()] == [1.0, 0.1, 1.0, 0.0]
PYTHON
