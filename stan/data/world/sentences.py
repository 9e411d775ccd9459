"""Random numbers in, pairs of sentences that say the same about a motion out: texts to read without pictures.

CLIP has read about left and right, growing and vanishing, long before it is shown any video. A text tower that never
met these words takes a sentence and its reversal for the same, and a video model has nothing to tell apart.
"""

from __future__ import annotations

import numpy as np

from stan.data.world.concepts import ALL
from stan.data.world.motions import MOTIONS, Event, class_name, draw_event

ANONYMOUS = 0.25
"""Share of pairs that name only the motion; one of the two is then worded like a class name: `Moving something up`."""


def draw_readings(count: int, seed: int | tuple[int, ...]) -> tuple[list[str], list[str]]:
    """Return `count` sentences, and another wording of each in the same order; equal seeds give equal sentences.

    Sentences 2i and 2i + 1 are each other's reversal in time, where the motion has one.
    """
    rng = np.random.default_rng(seed)
    pairs: list[tuple[str, str]] = []
    while len(pairs) < count:
        event = draw_event(str(rng.choice(list(MOTIONS))), ALL, rng)
        background = f" on a {rng.choice(ALL.backgrounds)} background"
        for told in (event, event.reversed):
            anonymous = rng.random() < ANONYMOUS
            pairs.append(_class_name(told, rng) if anonymous else _captions(told, background, rng))
    return [first for first, _ in pairs[:count]], [second for _, second in pairs[:count]]


def _captions(event: Event, background: str, rng: np.random.Generator) -> tuple[str, str]:
    first, second = (event.sentence(wording) + background for wording in rng.permutation(2))
    return first, second


def _class_name(event: Event, rng: np.random.Generator) -> tuple[str, str]:
    return event.sentence(int(rng.integers(2)), anonymous=True), class_name(event.motion)
