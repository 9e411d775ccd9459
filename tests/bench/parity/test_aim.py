"""AIM's released outputs, and what each deviation of ours changes in them."""

import pytest
import torch

from stan.bench.parity import TOLERANCE, aim, differences
from stan.bench.parity.golden import read
from tests.support.peers import PEERS

SETS = ("aim", "aim_sthv2")


@pytest.mark.parametrize("name", SETS)
def test_every_output_is_reproduced(name):
    assert not aim.RIVAL.not_reproduced
    assert {one.output for one in differences(read(PEERS / name)) if not one.relative < TOLERANCE} == set()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("aim", {"time_before_norm": False}),
        ("aim", {"scale": 1.0}),
        ("aim_sthv2", {"scale": 0.5}),
    ],
)
@torch.no_grad()
def test_each_setting_matters(name, options):
    golden = read(PEERS / name)
    frames = golden.model(options=options).encode_video(golden.io["video"]).frames
    assert (frames - golden.io["frame_features"]).abs().max() > 1e-2
