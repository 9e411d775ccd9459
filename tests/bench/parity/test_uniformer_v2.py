"""UniFormerV2's released outputs: for Kinetics, with CLIP frozen, for Something-Something; and InternVideo's."""

import pytest

from tests.support.reference_sets import assert_reproduced


@pytest.mark.parametrize(
    "name", ["uniformer_v2", "uniformer_v2_frozen", "uniformer_v2_sthv2", "intern_video"]
)
def test_reproduces_the_released_outputs(name):
    assert_reproduced(name)
