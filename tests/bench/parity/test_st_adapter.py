"""ST-Adapter's released outputs, and what each deviation of ours changes in them."""

import pytest
import torch

from stan.bench.parity import TOLERANCE, differences, st_adapter
from stan.bench.parity.golden import read
from tests.support.peers import PEERS

SETS = ("st_adapter", "st_adapter_both")


@pytest.mark.parametrize("name", SETS)
def test_every_output_is_reproduced(name):
    assert not st_adapter.RIVAL.not_reproduced
    assert {one.output for one in differences(read(PEERS / name)) if not one.relative < TOLERANCE} == set()


@pytest.mark.parametrize("name", SETS)
@torch.no_grad()
def test_the_mean_of_normed_frames_is_another_embedding(name):
    golden = read(PEERS / name)
    video = golden.model(options={"norm_after_mean": False}).encode_video(golden.io["video"])
    torch.testing.assert_close(video.video, video.frames.mean(1))
    assert (video.video - golden.io["video_embedding"]).abs().max() > 0.1
