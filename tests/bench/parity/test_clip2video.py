"""CLIP2Video's released outputs: its difference block and its alignment block."""

from tests.support.reference_sets import assert_reproduced

MIXED_UP = (
    "differences",
    "frames",
    "logits",
    "logits_tdb",
    "loss_tab",
    "loss_tdb",
    "tab_frames",
    "tab_video",
)
"""Of a padded batch, where the source masks videos with each other's masks."""


def test_reproduces_the_released_outputs():
    assert_reproduced("clip2video_tdb_tab", {f"masked.{output}" for output in MIXED_UP})
