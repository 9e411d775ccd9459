"""A world's test split and a library of its videos in, the share of right first cards in the demo out.

python tests/support/first_card.py --world worlds/retrieval-quick --library libraries/world

The first caption of every clip is typed into the demo's search; the first card has to be that clip's video. Prints the
number of queries and R@1 in percent.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import sys
from pathlib import Path

from stan.common import servers
from stan.data.datasets import load
from tests.support.server import ROOT, served
from tests.support.visitor import Visitor


def first_name(cards: str) -> str | None:
    """Return the name on the first card; None if there is no card."""
    title = re.search(r"<bdi>(.*?)</bdi>", cards)
    return html.unescape(title[1]) if title else None


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--world", type=Path, default=ROOT / "worlds" / "retrieval-quick")
    parser.add_argument("--library", type=Path, default=ROOT / "libraries" / "world")
    given = parser.parse_args()
    suite = given.world.name.rpartition("-")[0]
    clips = load(f"world/{suite}:{given.world.parent}", "test").clips
    with served(servers.demo_command([given.library])) as (address, _):
        visitor = Visitor(address)
        right = [first_name(visitor.search(clip.captions[0])[1]) == Path(clip.path).name for clip in clips]
    print(json.dumps({"queries": len(right), "R@1": round(100 * sum(right) / len(right), 2)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
