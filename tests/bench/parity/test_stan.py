"""Both releases of STAN, and what each deviation of ours changes in their outputs."""

import pytest
import torch

from stan.bench.parity import TOLERANCE, differences, stan
from stan.bench.parity.golden import read
from tests.support.peers import PEERS

SETS = {
    "first, attention": PEERS / "stan_first_selfattn",
    "first, convolution": PEERS / "stan_first_conv",
    "released": PEERS.parent / "stan_released_tiny",
}


@pytest.mark.parametrize("folder", SETS.values(), ids=SETS)
def test_every_output_is_reproduced(folder):
    assert not stan.FIRST.not_reproduced and not stan.RELEASED.not_reproduced
    assert {one.output for one in differences(read(folder)) if not one.relative < TOLERANCE} == set()


@torch.no_grad()
def test_neighbours_in_rows_and_columns_matter():
    golden = read(SETS["first, convolution"])
    model = golden.model()
    for layer in model.temporal.layers:
        weight = layer.cross_frame.over_time.weight
        weight[..., [0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 0, 2, 0, 1, 2]] = 0
    frames = model.encode_video(golden.io["video"]).frames
    assert (frames - golden.io["frame_embeddings"]).abs().max() > 0.1
