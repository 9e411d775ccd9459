#!/usr/bin/env bash
# Frames are spread evenly over a film of n frames by linspace(0, n - 1, k), cut to whole numbers: by numpy in most loaders, by
# torch in torchvision's UniformTemporalSubsample. Where (n - 1) / (k - 1) has an exact multiple, that very frame is meant.
# Guess, written before the run: both give the frames of integer arithmetic, i * (n - 1) // (k - 1), as the ends are exact.
#
# Seen (numpy 2.4.6, torch 2.13.0, torchvision 0.28.0), for films of up to 3,000 frames: with 4, 8, 10, 12, 16, 20 or 32 frames
# they do. With 64, as for DiDeMo, some multiples come out just below the whole number, and the frame before is taken: by numpy
# in 102 lengths, by torchvision in 88 others, so that in 190 the two read different frames of one film.
#   64 frames: numpy one early in 102 lengths, torchvision in 88, unlike each other in 190
#   154 frames long, numpy: [50, 101, 118] for [51, 102, 119]
#   148 frames long, torchvision: [62] for [63]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import torch

try:
    import torchvision
except RuntimeError:  # a torch without torchvision's compiled operators, which this does not use
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
from torchvision.transforms.v2 import UniformTemporalSubsample


def exact(n, k):
    return np.arange(k) * (n - 1) // (k - 1)


def by_numpy(n, k):
    return np.linspace(0, n - 1, k, dtype=int)


def by_torchvision(n, k):
    return UniformTemporalSubsample(k)(torch.arange(n).reshape(n, 1, 1, 1)).flatten().numpy()


for k in (4, 8, 10, 12, 16, 20, 32):
    for n in range(k, 3001):
        assert (by_numpy(n, k) == exact(n, k)).all() and (by_torchvision(n, k) == exact(n, k)).all()
early = {"numpy": 0, "torchvision": 0, "unlike": 0}
for n in range(64, 3001):
    meant, one, other = exact(n, 64), by_numpy(n, 64), by_torchvision(n, 64)
    assert set(meant - one) <= {0, 1} and set(meant - other) <= {0, 1}
    for name, wrong in (("numpy", one != meant), ("torchvision", other != meant), ("unlike", one != other)):
        early[name] += bool(wrong.any())
print(
    f"64 frames: numpy one early in {early['numpy']} lengths, torchvision in {early['torchvision']},"
    f" unlike each other in {early['unlike']}"
)
for n, name, taken in ((154, "numpy", by_numpy), (148, "torchvision", by_torchvision)):
    meant, found = exact(n, 64), taken(n, 64)
    print(f"{n} frames long, {name}: {found[found != meant].tolist()} for {meant[found != meant].tolist()}")
assert early == {"numpy": 102, "torchvision": 88, "unlike": 190}
PYTHON
