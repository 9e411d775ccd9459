#!/usr/bin/env bash
# Contrastive batches are gathered from all processes, and DistributedDataParallel takes the mean of gradients. open_clip's
# ClipLoss has two switches for it, both off at first. Here eight pairs lie on one, two and four processes; a tower for videos
# is trained, the texts are given.
# Guess, written before the run: the gradient is that of one process with all eight pairs, whatever the switches and however
# many processes there are.
#
# Seen (open_clip 3.3.0, torch 2.13.0, gloo): so it is with gather_with_grad. By default it is a half with two processes and a
# quarter with four: the loss is equal, but the others' features have no gradient, and the mean still divides by all. Adam
# doesn't mind; clipping of gradients, SGD, and a penalty that is added to the loss do. With local_loss alone it is the gradient
# of one direction, from videos to texts: what a text says of all videos teaches the tower nothing.
#   default: 0.500 of one process' gradient with 2, 0.250 with 4, cosine to it 1.000 and 1.000
#   local_loss: 0.472 of one process' gradient with 2, 0.472 with 4, cosine to it 0.976 and 0.976
#   gather_with_grad: 1.000 of one process' gradient with 2, 1.000 with 4, cosine to it 1.000 and 1.000
#   both: 1.000 of one process' gradient with 2, 1.000 with 4, cosine to it 1.000 and 1.000
#   half of the loss, from videos to texts, on one process: 0.472, cosine 0.976
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q open_clip_torch==3.3.0 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import os
import socket
import subprocess
import sys

import torch
import torch.distributed as dist

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from open_clip.loss import ClipLoss
from torch.nn.functional import cross_entropy, normalize

SCALE = torch.tensor(10.0)
SWITCHES = {
    "default": {},
    "local_loss": {"local_loss": True},
    "gather_with_grad": {"gather_with_grad": True},
    "both": {"local_loss": True, "gather_with_grad": True},
}


def start():
    """Return the tower, eight videos and eight texts, the same in every process."""
    torch.manual_seed(0)
    return torch.nn.Linear(16, 16, bias=False), torch.randn(8, 16), normalize(torch.randn(8, 16), dim=-1)


def process(rank, world, port, switches):
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=world)
    tower, videos, texts = start()
    mine = slice(rank * 8 // world, (rank + 1) * 8 // world)
    parallel = torch.nn.parallel.DistributedDataParallel(tower)
    loss = ClipLoss(rank=rank, world_size=world, **switches)
    loss(normalize(parallel(videos[mine]), dim=-1), texts[mine], SCALE).backward()
    if rank == 0:
        torch.save(tower.weight.grad, "gradient.pt")
    dist.barrier()
    os._exit(0)  # taking the group of processes down hangs now and then


def with_processes(world, switches):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.start_processes(process, (world, port, switches), world, start_method="fork")
    return torch.load("gradient.pt")


def alone(loss):
    tower, videos, texts = start()
    loss(normalize(tower(videos), dim=-1), texts).backward()
    return tower.weight.grad


def compared(gradient, whole):
    """Return how much of the whole gradient another one has, and the cosine of the two."""
    product = (gradient * whole).sum()
    return [round(float(product / whole.norm() / one), 3) for one in (whole.norm(), gradient.norm())]


# Forked, so that no process loads open_clip anew, and before anything runs backward here.
gradients = {(name, world): with_processes(world, SWITCHES[name]) for name in SWITCHES for world in (2, 4)}
whole = alone(lambda videos, texts: ClipLoss()(videos, texts, SCALE))
seen = {}
for name in SWITCHES:
    (two, by_two), (four, by_four) = (compared(gradients[name, world], whole) for world in (2, 4))
    seen[name] = two, four, by_two, by_four
    print(f"{name}: {two:.3f} of one process' gradient with 2, {four:.3f} with 4, cosine to it {by_two:.3f} and {by_four:.3f}")
half = alone(lambda videos, texts: cross_entropy(SCALE * videos @ texts.T, torch.arange(8)) / 2)
share, cosine = compared(half, whole)
print(f"half of the loss, from videos to texts, on one process: {share:.3f}, cosine {cosine:.3f}")
assert seen["default"] == (0.5, 0.25, 1.0, 1.0)
assert seen["gather_with_grad"] == seen["both"] == (1.0, 1.0, 1.0, 1.0)
assert seen["local_loss"] == (share, share, cosine, cosine) and cosine < 0.98
PYTHON
