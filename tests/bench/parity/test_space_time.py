"""Methods whose tokens lie in space and time, as released, and what ours changes in each."""

import pytest
import torch

from stan.bench.parity import TOLERANCE, differences, space_time
from stan.bench.parity.golden import read
from tests.support.peers import PEERS

SETS = {
    "timesformer_divided": space_time.TIMESFORMER,
    "timesformer_joint": space_time.TIMESFORMER,
    "motionformer": space_time.MOTIONFORMER,
    "motionformer_hr": space_time.MOTIONFORMER,
    "language_bind": space_time.LANGUAGE_BIND,
    "viclip": space_time.VICLIP,
    "video_clip_xl": space_time.VIDEO_CLIP_XL,
    "clip_vip": space_time.CLIP_VIP,
    "open_vclip": space_time.OPEN_VCLIP,
    "open_vclip_step2": space_time.OPEN_VCLIP,
    "frozen_in_time": space_time.FROZEN_IN_TIME,
    "bridge_former": space_time.BRIDGE_FORMER,
    "bridge_former_clip": space_time.BRIDGE_FORMER,
    "token_learner": space_time.TOKEN_LEARNER,
}


@pytest.mark.parametrize("name", SETS)
def test_every_output_is_reproduced(name):
    assert not SETS[name].not_reproduced
    assert {one.output for one in differences(read(PEERS / name)) if not one.relative < TOLERANCE} == set()


@pytest.mark.parametrize("name", ["timesformer_divided", "timesformer_joint"])
@torch.no_grad()
def test_one_cls_token_matters(name):
    golden = read(PEERS / name)
    found = golden.model(options={"one_cls": False}).encode_video(golden.io["video"]).video
    assert (found - golden.io["features"]).abs().max() > 0.1


@torch.no_grad()
def test_trajectory_attentions_one_cls_token_matters():
    golden = read(PEERS / "motionformer")
    found = golden.model(options={"one_cls": False}).encode_video(golden.io["video"]).video
    assert (found - golden.io["features"]).abs().max() > 0.1


@pytest.mark.parametrize("deviation", [{"zeros": False}, {"normalised": False}, {"reach": 2}])
@torch.no_grad()
def test_what_open_vclip_does_at_the_ends_and_in_the_mean_matters(deviation):
    golden = read(PEERS / "open_vclip")
    found = golden.model(options=deviation).encode_video(golden.io["video"]).video
    theirs = golden.io["video_embedding"]
    assert (found - theirs).abs().max() > 100 * TOLERANCE * theirs.abs().max()


@pytest.mark.parametrize("deviation", [{"time_before_norm": False}, {"one_cls": False}])
@torch.no_grad()
def test_what_viclip_adds_to_joint_attention_matters(deviation):
    golden = read(PEERS / "viclip")
    found, theirs = (
        golden.model(options=deviation).encode_video(golden.io["video"]),
        golden.io["video_embedding"],
    )
    assert (found.video - theirs).abs().max() > 100 * TOLERANCE * theirs.abs().max()
