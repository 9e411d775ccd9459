"""Methods without attention maps."""

WITHOUT_MAPS = {
    "x_clip",
    "center_clip",
    "joint_space_time",
    "frozen_in_time",
    "trajectory_attention",
    "clip_vip",
    "neighbour_attention",
    "token_learner",
}
"""Methods whose blocks read other tokens than each frame's own."""
