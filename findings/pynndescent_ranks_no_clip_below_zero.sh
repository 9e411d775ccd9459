#!/usr/bin/env bash
# CLIPs that were trained with a sigmoid, as SigLIP, score a text and a video by cosine and a bias: what fits may have a
# cosine around zero. pynndescent, which UMAP brings, searches by cosine or by inner product.
# Guess, written before the run: with metric cosine, and with inner_product on vectors of length one, the nearest videos are
# those of the highest cosine, as with euclidean on the same vectors; at worst a few are missed, since the search is approximate.
#
# Seen (pynndescent 0.7.0): cosine, dot and inner_product give all videos whose cosine is below zero the same distance. A text
# whose best video lies below zero gets any videos, in any order, and nothing warns. Of 500 texts, those whose best video lies
# above zero and below:
#   euclidean:     R@1 1.00 above, 1.00 below
#   cosine:        R@1 1.00 above, 0.03 below
#   dot:           R@1 1.00 above, 0.03 below
#   inner_product: R@1 1.00 above, 0.03 below
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pynndescent==0.7.0 numba==0.68.1 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
"$folder/venv/bin/python" -W error::UserWarning - <<'PYTHON'
import numpy as np
from pynndescent import NNDescent


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


rng = np.random.default_rng(0)
content = unit(rng.normal(size=(500, 64)))
between = np.zeros(64)  # texts lie on one side of it, videos on the other
between[0] = 1
videos = unit(content + between)
texts = unit(content + rng.normal(size=content.shape) * 0.03 - between)
cosines = texts @ videos.T
best, above = cosines.argmax(axis=1), cosines.max(axis=1) > 0
print(f"best cosines from {cosines.max(axis=1).min():.2f} to {cosines.max(axis=1).max():.2f}, {above.mean():.0%} above zero")
assert 0.1 < above.mean() < 0.9

for metric in ("euclidean", "cosine", "dot", "inner_product"):
    found, distances = NNDescent(videos, metric=metric, random_state=0).query(texts, k=10, epsilon=0.3)
    right = found[:, 0] == best
    print(f"{metric}: R@1 {right[above].mean():.2f} above, {right[~above].mean():.2f} below")
    assert right[above].mean() > 0.9
    if metric == "euclidean":
        assert right[~above].mean() > 0.9
    else:
        assert right[~above].mean() < 0.2 and len(np.unique(distances[~above])) == 1
PYTHON
