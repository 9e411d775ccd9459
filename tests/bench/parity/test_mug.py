"""The released outputs of Mug-STAN's heads."""

from tests.support.reference_sets import assert_reproduced


def test_reproduces_the_released_outputs():
    assert_reproduced("mug_heads")
