"""Name and options of a temporal method in, the module out: the one registry of temporal methods."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from stan.temporal.aim import Aim
from stan.temporal.base import Temporal
from stan.temporal.center_clip import CenterClip
from stan.temporal.divided_space_time import DividedSpaceTime
from stan.temporal.joint_space_time import JointSpaceTime
from stan.temporal.sequence_transformer import SequenceTransformer
from stan.temporal.st_adapter import StAdapter
from stan.temporal.stan import Stan
from stan.temporal.token_learner import TokenLearner
from stan.temporal.token_roll import TokenRoll
from stan.temporal.x_clip import XClip

if TYPE_CHECKING:
    from stan.models.clip import Clip

METHODS: dict[str, type[Temporal]] = {
    "mean": Temporal,
    "sequence_transformer": SequenceTransformer,
    "stan": Stan,
    "x_clip": XClip,
    "st_adapter": StAdapter,
    "aim": Aim,
    "center_clip": CenterClip,
    "divided_space_time": DividedSpaceTime,
    "joint_space_time": JointSpaceTime,
    "token_roll": TokenRoll,
    "token_learner": TokenLearner,
}


def build(name: str, clip: Clip, frames: int, options: dict[str, Any] | None = None) -> Temporal:
    """The method `name` for clips of `frames` frames on `clip`, initialised from it.

    Raises ValueError for a name or option that isn't known, listing those that are.
    """
    if name not in METHODS:
        raise ValueError(f"temporal method {name!r} is not known; there are {', '.join(METHODS)}")
    known = list(inspect.signature(METHODS[name].__init__).parameters)[3:]
    unknown = sorted(set(options or {}) - set(known))
    if unknown:
        raise ValueError(f"{name} has no option {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    return METHODS[name](clip, frames, **(options or {}))
