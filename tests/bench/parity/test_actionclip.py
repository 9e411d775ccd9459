"""Released outputs of ActionCLIP, Text4Vis and BIKE, and what each deviation of ours changes in them."""

import pytest
import torch

from stan.bench.parity import TOLERANCE, actionclip, differences
from stan.bench.parity.golden import read
from tests.support.peers import PEERS

SETS = ("actionclip", "actionclip_conv1d", "actionclip_tsm", "text4vis", "bike")


@pytest.mark.parametrize("name", SETS)
def test_every_output_is_reproduced(name):
    rivals = (actionclip.RIVAL, actionclip.TEXT4VIS, actionclip.BIKE)
    assert not any(rival.not_reproduced for rival in rivals)
    assert {one.output for one in differences(read(PEERS / name)) if not one.relative < TOLERANCE} == set()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("actionclip", {"activation": "gelu"}),
        ("actionclip", {"eps": 1e-3}),
        ("actionclip", {"heads": 1}),
        ("actionclip_conv1d", {"transposed": True}),
        ("actionclip_tsm", {"divisor": 4}),
    ],
)
@torch.no_grad()
def test_each_setting_matters(name, options):
    golden = read(PEERS / name)
    video = golden.model(options=options).encode_video(golden.io["video"]).video
    assert (video - golden.io["video_embedding"]).abs().max() > 1e-3


def test_a_mean_of_cosines_gives_other_answers_than_one_of_probabilities():
    io = read(PEERS / "actionclip").io
    of_cosines = io["template_logits"].mean(1).softmax(1)
    assert (of_cosines - io["class_probabilities"]).abs().max() > 1e-2
