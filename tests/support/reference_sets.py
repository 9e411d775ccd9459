"""The name of a set of a rival's reference outputs in, the assertion that ours reproduces it out."""

from __future__ import annotations

from collections.abc import Collection

from stan.bench.parity import TOLERANCE, parity
from tests.support.peers import PEERS


def assert_reproduced(name: str, left_out: Collection[str] = ()) -> None:
    """Assert that every output of the set is reproduced, except those left out, which have a reason each."""
    found = parity(PEERS / name)
    assert {one.output for one in found if one.reason} == set(left_out)
    compared = [one for one in found if not one.reason]
    assert compared and [one for one in compared if not one.relative <= TOLERANCE] == []
