"""All-in-one as released, what is left out, and what each deviation of ours changes."""

import torch

from stan.bench.parity import TOLERANCE, all_in_one, differences
from stan.bench.parity.golden import read
from tests.support.peers import PEERS

TOGETHER = {
    f"joint_{part}" for part in ("last_block", "image_feats", "text_feats", "cls_feats", "raw_cls_feats")
}


def test_every_output_is_reproduced_but_those_of_texts_and_frames_together():
    found = list(differences(read(PEERS / "all_in_one")))
    assert {one.output for one in found if one.reason} == TOGETHER
    assert {one.output for one in found if not one.relative < TOLERANCE} == TOGETHER
    (reason,) = all_in_one.RIVAL.not_reproduced.values()
    assert "same blocks" in reason


@torch.no_grad()
def test_what_the_random_order_changes():
    """Without a roll, the order of the patches changes nothing; with it, what rolls depends on the order."""
    golden = read(PEERS / "all_in_one")
    for share, equal in ((0.0, True), (0.125, False)):
        ordered, shuffled = (
            golden.model(options={"share": share, "shuffled": given}).encode_video(golden.io["video"]).video
            for given in (False, True)
        )
        assert torch.allclose(ordered, shuffled, atol=1e-5) == equal
