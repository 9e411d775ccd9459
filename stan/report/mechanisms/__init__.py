"""Names of temporal methods and similarities in; what each does to CLIP, where, and after which source, out.

The table is what cards and pictures are made of. It imports no torch, so that a page may read it at once.
"""

from __future__ import annotations

from stan.report.mechanisms.after import AFTER
from stan.report.mechanisms.beside import BESIDE
from stan.report.mechanisms.inside import INSIDE
from stan.report.mechanisms.part import MIXES, PLACES, Mechanism, Part
from stan.report.mechanisms.similarities import SIMILARITIES

__all__ = ["MIXES", "PLACES", "SIMILARITIES", "TEMPORAL", "Mechanism", "Part"]

_ORDER = (  # that of METHODS, which can't be read without torch
    "mean",
    "sequence_transformer",
    "stan",
    "temporal_difference",
    "actionclip",
    "actionclip_shift",
    "efficient_prompting",
    "factorised_encoder",
    "vtn",
    "x_clip",
    "st_adapter",
    "aim",
    "center_clip",
    "divided_space_time",
    "joint_space_time",
    "frozen_in_time",
    "trajectory_attention",
    "clip_vip",
    "neighbour_attention",
    "token_roll",
    "token_learner",
    "temporal_shift",
    "evl",
    "uniformer_v2",
)
TEMPORAL: dict[str, Mechanism] = {name: (AFTER | BESIDE | INSIDE)[name] for name in _ORDER}
"""By the names of `stan.models.temporal.METHODS`."""
