#!/usr/bin/env bash
# ST-Adapter and its kin convolve each channel of patch tokens over three frames: a depthwise Conv3d with a kernel of
# (3, 1, 1), on tokens (B, T, P, D) seen as (B, D, T, P, 1), without a copy.
# Guess, written before the run: torch computes that on a CPU about as fast as the same convolution written as a depthwise
# Conv2d with a kernel of (3, 1), whose numbers are equal; its gradient takes twice as long at most.
#
# Seen (torch 2.13.0, one thread, 8 clips of 8 frames, 196 patches and 384 channels, as in ST-Adapter-B/16): the
# three-dimensional form takes about 10 times as long forwards, and about 19 times as long with its gradient (0.65 s
# against 0.035 s), for the same numbers. The run fails if the second factor falls below 5.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
OMP_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
import statistics
import time

import torch

torch.set_num_threads(1)
torch.manual_seed(0)
tokens, channels = torch.randn(8, 8, 196, 384), 384
cube = torch.nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0), groups=channels)
flat = torch.nn.Conv2d(channels, channels, (3, 1), padding=(1, 0), groups=channels)
with torch.no_grad():
    flat.weight.copy_(cube.weight[..., 0])
    flat.bias.copy_(cube.bias)
forms = {"cube": lambda x: cube(x.permute(0, 3, 1, 2)[..., None])[..., 0], "flat": lambda x: flat(x.permute(0, 3, 1, 2))}


def seconds(form, gradient):
    x = tokens.clone().requires_grad_(gradient)
    with torch.set_grad_enabled(gradient):
        start = time.perf_counter()
        y = form(x)
        if gradient:
            y.sum().backward()
        return time.perf_counter() - start


with torch.no_grad():
    torch.testing.assert_close(forms["cube"](tokens), forms["flat"](tokens), rtol=0, atol=1e-5)
for gradient in (False, True):
    pairs = [[seconds(form, gradient) for form in forms.values()] for _ in range(8)][1:]
    factor = statistics.median(slow / quick for slow, quick in pairs)
    print(f"{'with gradient' if gradient else 'forwards'}: Conv3d takes {factor:.0f} times as long as Conv2d")
assert factor > 5, factor
PYTHON
