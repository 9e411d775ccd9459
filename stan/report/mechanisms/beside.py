"""Names of methods with a branch beside CLIP's blocks in; what each does out."""

from __future__ import annotations

from stan.report.mechanisms.part import Mechanism, Part

_STAN = "Liu et al., CVPR 2023, arXiv 2301.11116"

BESIDE: dict[str, Mechanism] = {
    "stan": Mechanism(
        "STAN",
        _STAN,
        (
            Part(
                "branch",
                "4 layers",
                "all",
                "A branch reads CLIP's last levels. Each of its layers attends over time at every patch, then within"
                " every frame, and adds the next level.",
            ),
            Part(
                "end",
                "+ branch",
                "nothing",
                "The branch's CLS token is added to CLIP's, then CLIP projects the sum.",
                learned=False,
            ),
        ),
        "cross-frame attention starts from Xavier's distribution (there: torch's default of a linear layer); the first"
        " code's convolution needs `cross_frame` and `convolution`",
        "attention within frames: copies of CLIP's last blocks; over time: drawn, its projection at zero",
        "all weights, AdamW, new ones 10 times CLIP's rate",
        sets=("stan_released_tiny", "stan_first_selfattn", "stan_first_conv"),
    ),
    "evl": Mechanism(
        "EVL",
        "Lin et al., ECCV 2022, arXiv 2208.03550",
        (
            Part(
                "branch",
                "decoder",
                "all",
                "One query per video attends to all tokens of CLIP's last levels, one level after another. The tokens"
                " got a convolution over three frames, times, and vectors of where a patch lies in the previous and"
                " the next frame, as the block's own attention finds it.",
            ),
            Part(
                "end",
                "query alone",
                "nothing",
                "CLIP's last norm, which is trained, and its projection read the query instead of CLIP's CLS token.",
            ),
        ),
        "nothing is dropped out in training (there: half of each MLP's channels, and half of what the classifier"
        " reads); scored by cosine unless `linear_classifier` is chosen",
        "query, times and vectors of distances at zero, the rest drawn; does not start as CLIP",
        "CLIP frozen, AdamW 4e-4, weight decay 0.05, batch 256, 50,000 steps, linear classifier",
        sets=("evl",),
    ),
    "uniformer_v2": Mechanism(
        "UniFormerV2",
        "Li et al., ICCV 2023, arXiv 2211.09552",
        (
            Part(
                "branch",
                "decoder",
                "all",
                "One query per video attends to all tokens of CLIP's last levels, one level after another. To patches,"
                " a convolution over 3 x 3 patches of three frames is added.",
            ),
            Part(
                "end",
                "query + CLIP",
                "time",
                "The query and the frames' mean of CLIP's CLS token are mixed, each channel in a learned share. CLIP's"
                " last norm, which is trained, and its projection read the sum.",
            ),
        ),
        "patches are convolved over three frames, channel by channel, before attention and before the MLP only where"
        " `convolutions` asks for it (there for Something-Something); frames are embedded one by one unless a released"
        " file joins them; nothing is dropped out in training; paths are dropped for each video (there for a batch's"
        " videos at once); scored by cosine unless `linear_classifier` is chosen",
        "all that is added at zero, shares equal: as CLIP, but for frames whose mean is taken before the last norm",
        "all weights, AdamW, weight decay 0.05, linear classifier, half of each MLP's channels dropped",
        sets=("uniformer_v2", "uniformer_v2_frozen", "uniformer_v2_sthv2", "intern_video"),
    ),
}
