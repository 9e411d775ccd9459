"""CenterCLIP's released outputs, with exact distances."""

from tests.support.reference_sets import assert_reproduced

ROUNDED = (
    "medoid_ids",
    "segments",
    "tokens_after",
    *(f"{case}.{output}" for case in ("full", "masked") for output in ("logits", "loss", "video_pooled")),
)
"""Of the source's own distances, whose rounding decides ties."""


def test_reproduces_the_released_outputs():
    assert_reproduced("centerclip_kmedoids", {f"released.{output}" for output in ROUNDED})
