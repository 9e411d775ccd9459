"""X-CLIP's released outputs, and what each deviation of ours changes in them."""

import torch

from stan.bench.parity import TOLERANCE, differences, x_clip
from stan.bench.parity.golden import read
from tests.support.peers import PEERS

SET = PEERS / "x_clip"


def test_every_output_is_reproduced():
    assert not x_clip.RIVAL.not_reproduced
    assert {one.output for one in differences(read(SET)) if not one.relative < TOLERANCE} == set()


@torch.no_grad()
def test_prompts_from_frames_give_other_logits_only():
    golden = read(SET)
    model = golden.model(similarity="cosine")
    text, video = model.encode_text(golden.io["token_ids"]), model.encode_video(golden.io["video"])
    torch.testing.assert_close(video.video, golden.io["video_embedding"], rtol=1e-5, atol=1e-5)
    logits = model.logit_scale.exp() * model.similarity(text, video).T
    assert (logits - golden.io["logits"]).abs().max() > 1e-2
