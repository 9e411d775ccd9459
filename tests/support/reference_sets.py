"""The rivals' reference sets of `tests/golden/peers`: where they lie, and the assertion that ours reproduces one."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from stan.bench.parity import TOLERANCE, parity

PEERS = Path(__file__).parents[1] / "golden" / "peers"


def assert_reproduced(name: str, left_out: Collection[str] = ()) -> None:
    """Assert that every output of the set is reproduced, except those left out, which have a reason each."""
    found = parity(PEERS / name)
    assert {one.output for one in found if one.reason} == set(left_out)
    compared = [one for one in found if not one.reason]
    assert compared and [one for one in compared if not one.relative <= TOLERANCE] == []
