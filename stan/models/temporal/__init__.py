"""Name and options of a temporal method in, the module out: the one registry of temporal methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stan.common import registry
from stan.models.temporal.actionclip import ActionClip, ActionClipShift
from stan.models.temporal.aim import Aim
from stan.models.temporal.base import Temporal
from stan.models.temporal.center_clip import CenterClip
from stan.models.temporal.clip_vip import ClipVip
from stan.models.temporal.divided_space_time import DividedSpaceTime
from stan.models.temporal.efficient_prompting import EfficientPrompting
from stan.models.temporal.evl import Evl
from stan.models.temporal.factorised_encoder import FactorisedEncoder
from stan.models.temporal.frozen_in_time import FrozenInTime
from stan.models.temporal.joint_space_time import JointSpaceTime
from stan.models.temporal.neighbour_attention import NeighbourAttention
from stan.models.temporal.sequence_transformer import SequenceTransformer
from stan.models.temporal.st_adapter import StAdapter
from stan.models.temporal.stan import Stan
from stan.models.temporal.temporal_difference import TemporalDifference
from stan.models.temporal.temporal_shift import TemporalShift
from stan.models.temporal.token_learner import TokenLearner
from stan.models.temporal.token_roll import TokenRoll
from stan.models.temporal.trajectory_attention import TrajectoryAttention
from stan.models.temporal.uniformer_v2 import UniformerV2
from stan.models.temporal.vtn import Vtn
from stan.models.temporal.x_clip import XClip

if TYPE_CHECKING:
    from stan.models.clip import Clip

METHODS: dict[str, type[Temporal]] = {
    "mean": Temporal,
    "sequence_transformer": SequenceTransformer,
    "stan": Stan,
    "temporal_difference": TemporalDifference,
    "actionclip": ActionClip,
    "actionclip_shift": ActionClipShift,
    "efficient_prompting": EfficientPrompting,
    "factorised_encoder": FactorisedEncoder,
    "vtn": Vtn,
    "x_clip": XClip,
    "st_adapter": StAdapter,
    "aim": Aim,
    "center_clip": CenterClip,
    "divided_space_time": DividedSpaceTime,
    "joint_space_time": JointSpaceTime,
    "frozen_in_time": FrozenInTime,
    "trajectory_attention": TrajectoryAttention,
    "clip_vip": ClipVip,
    "neighbour_attention": NeighbourAttention,
    "token_roll": TokenRoll,
    "token_learner": TokenLearner,
    "temporal_shift": TemporalShift,
    "evl": Evl,
    "uniformer_v2": UniformerV2,
}


def build(name: str, clip: Clip, frames: int, options: dict[str, Any] | None = None) -> Temporal:
    """Build the method `name` for clips of `frames` frames on `clip`, initialised from `clip`.

    Raises ValueError for an unknown name or option, listing the known ones, and for a number of frames that isn't one
    of whole tubelets.
    """
    tubelets, left = divmod(frames, clip.visual.tubelet)
    if left:
        raise ValueError(
            f"frames={frames}: this CLIP reads {clip.visual.tubelet} at a time, so give a multiple"
        )
    return registry.build("temporal method", METHODS, name, (clip, tubelets), options or {})
