"""CenterCLIP's layout: a CLIP in OpenAI's names under `clip.`; where and how it clusters stands beside the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stan.models.layouts.clip import openai_names
from stan.models.layouts.names import Layout, State
from stan.models.layouts.told import flags, require

SUPPORTED = {
    "cluster_algo": ("kmediods++",),
    "cluster_distance": ("euclidean",),
    "minkowski_norm_p": (2, 2.0),
    "aggregation": (None, "None"),
    "sim_header": ("meanP",),
    "pre_norm": (0, False),
    **dict.fromkeys(
        ("cluster_embedding", "cluster_frame_embedding", "adaptive_cls", "deep_cluster", "time_embedding"),
        (0, False, None),
    ),
}
"""The source's settings that ours reproduces: K-medoids by Euclidean distance, without anything learned."""


def clustering(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the design. Without settings beside the file, it is our method's own: MSR-VTT's recipe at B/32.

    Raises ValueError for settings that the method doesn't have, naming them.
    """
    given = flags(told)
    if not given.get("cluster_inter", True):
        return {"temporal": "mean", "options": {"normalised": True}}
    require(told, SUPPORTED)
    options: dict[str, Any] = {"normalised": True, "unmasked": True}
    frames = given.get("frames", given.get("max_frames"))
    design = {"temporal": "center_clip", "options": options} | ({"frames": frames} if frames else {})
    if "target_frames_blocks" not in given:
        return design
    if frames is None or "cluster_num_blocks" not in given:
        raise ValueError(
            "the config beside the checkpoint gives target_frames_blocks: it also needs cluster_num_blocks and frames"
            " (or max_frames)"
        )
    options |= _place(frames, given["target_frames_blocks"], given["cluster_num_blocks"])
    return design


def _place(frames: int, segments: list[int], clusters: list[int]) -> dict[str, int]:
    """Return segment, clusters and block from the numbers of segments and of clusters at each of CLIP's blocks."""
    fewer = zip([frames, *segments], segments, [clusters[0], *clusters], clusters, strict=False)
    at = [
        i
        for i, (frames_before, after, before, kept) in enumerate(fewer)
        if after < frames_before or kept < before
    ]
    if len(segments) != len(clusters) or len(at) != 1 or frames % segments[at[0]]:
        raise ValueError(
            f"{frames} frames, target_frames_blocks={segments} and cluster_num_blocks={clusters} merge frames before"
            f" blocks {at}: this method merges them once, into segments of equal length"
        )
    block = at[0]
    return {"segment": frames // segments[block], "clusters": clusters[block], "block": block}


CENTER_CLIP = Layout(
    "CenterCLIP",
    (r"clip\.visual\.position_ids", r"clip\.(transformer|ln_final|token_embedding)\..+"),
    openai_names(r"clip\."),
    design=clustering,
)
