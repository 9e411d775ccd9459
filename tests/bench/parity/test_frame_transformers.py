"""VTN and ViViT's factorised encoder as released, and what their settings change."""

import pytest
import torch

from stan.bench.parity import TOLERANCE, differences, frame_transformers
from stan.bench.parity.golden import read
from tests.support.peers import PEERS

SETS = {"vtn": frame_transformers.VTN, "vivit_factorised_encoder": frame_transformers.VIVIT}


@pytest.mark.parametrize("name", SETS)
def test_every_output_is_reproduced(name):
    assert not SETS[name].not_reproduced
    assert {one.output for one in differences(read(PEERS / name)) if not one.relative < TOLERANCE} == set()


@pytest.mark.parametrize(
    ("name", "options"),
    [("vtn", {"window": 2}), ("vtn", {"heads": 1}), ("vivit_factorised_encoder", {"heads": 1})],
)
@torch.no_grad()
def test_what_weights_do_not_tell_matters(name, options):
    golden = read(PEERS / name)
    as_released, otherwise = (
        golden.model(options=given).encode_video(golden.io["video"]).video for given in ({}, options)
    )
    assert (as_released - otherwise).abs().max() > 1e-3
