"""Films of every kind look, lie and last as a player shows them; the rows of `make check-truth`."""

import pytest

from tests.data.video import truth_table
from tests.data.video.kinds import KINDS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_is_what_a_player_shows(kind, tmp_path):
    found = truth_table.measure(KINDS[kind], tmp_path)
    assert found.right, found
