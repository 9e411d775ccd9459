"""Names of methods that act inside CLIP's blocks, or halfway through them, in; what each does out."""

from __future__ import annotations

from stan.report.mechanisms.part import (
    ACTIONCLIP,
    ACTIONCLIP_RECIPE,
    FREE,
    X_CLIP,
    X_CLIP_RECIPE,
    Mechanism,
    Part,
    over_frames,
)

_TIMESFORMER = "Bertasius et al., ICML 2021, arXiv 2102.05095"

_TIMES = Part(
    "input", "time positions", "nothing", "A learned position for each time is added to the tokens."
)

INSIDE: dict[str, Mechanism] = {
    "temporal_shift": Mechanism(
        "ActionCLIP tsm",
        f"{ACTIONCLIP}; after Lin et al., ICCV 2019, arXiv 1811.08383",
        (
            Part(
                "before attention",
                "channel shift",
                "neighbours",
                "An eighth of each patch's channels comes from the next frame, an eighth from the previous one.",
                learned=False,
            ),
        ),
        "none known",
        FREE,
        ACTIONCLIP_RECIPE,
        sets=("actionclip_tsm",),
    ),
    "x_clip": Mechanism(
        "X-CLIP",
        X_CLIP,
        (
            Part(
                "before attention",
                "messages",
                "time",
                "Each frame's CLS token writes a message; messages attend to each other, and each joins its frame's"
                " tokens as the block attends within the frame.",
            ),
            over_frames(
                "MIT, 1 block",
                "Frame embeddings get positions and pass a block; the result is added to them.",
            ),
        ),
        "no paths are dropped in training",
        "all drawn, as there; does not start as CLIP",
        X_CLIP_RECIPE,
        sets=("x_clip",),
        layouts=("X-CLIP in Hugging Face's layout",),
    ),
    "st_adapter": Mechanism(
        "ST-Adapter",
        "Pan et al., NeurIPS 2022, arXiv 2206.13559",
        (
            Part(
                "after attention",
                "adapter",
                "neighbours",
                "Patches are projected to half the width, convolved over three frames channel by channel, projected"
                " back and added.",
            ),
        ),
        "the video is the mean of frame embeddings (there: the last LayerNorm follows the mean) and the last"
        " MLP has no adapter, because nothing reads its patches; scored by cosine unless `linear_classifier` is chosen",
        "convolutions at zero, so as CLIP",
        "CLIP frozen, AdamW 1e-3 for 256 clips, weight decay 1e-2, linear classifier",
        sets=("st_adapter", "st_adapter_both"),
    ),
    "aim": Mechanism(
        "AIM",
        "Yang et al., ICLR 2023, arXiv 2302.03024",
        (
            _TIMES,
            Part(
                "before attention",
                "reused attention",
                "time",
                "The block's own attention is used over time first; an adapter follows.",
            ),
            Part(
                "after attention",
                "adapter",
                "nothing",
                "Attention within the frame is followed by an adapter with a skip.",
            ),
            Part("mlp", "adapter", "nothing", "An adapter runs beside the MLP; half of its output is added."),
        ),
        "times are added after CLIP's first LayerNorm (there: before it); scored by cosine unless"
        " `linear_classifier` is chosen",
        "the adapters' last layers and the times at zero, so as CLIP",
        "CLIP frozen but for its last LayerNorm, AdamW 3e-4, drop path 0.2, linear classifier",
        sets=("aim", "aim_sthv2"),
    ),
    "center_clip": Mechanism(
        "CenterCLIP",
        "Zhao et al., SIGIR 2022, arXiv 2205.00823",
        (
            Part(
                "halfway",
                "medoids",
                "segments",
                "Frames are merged into segments of two, which keep their CLS tokens' mean and the most central"
                " patches; later blocks read only these.",
                learned=False,
            ),
        ),
        "of two equally central patches the first is kept (there rounding decides); padding is left out of"
        " the clusters, and frames count as they are in the mean",
        FREE,
        "all weights, Adam 5e-6 (a thousandth of .005, for parts that it lacks), batch 128, 5 epochs, 12 frames",
        sets=("centerclip_kmedoids",),
    ),
    "divided_space_time": Mechanism(
        "Divided space-time attention (TimeSformer, LanguageBind)",
        f"{_TIMESFORMER}; Zhu et al., ICLR 2024, arXiv 2310.01852",
        (
            _TIMES,
            Part(
                "before attention",
                "attention",
                "time",
                "Each patch attends to those at its place in all frames; then the block runs within the frame.",
            ),
        ),
        "every frame keeps its own CLS token, as CLIP and LanguageBind have it (TimeSformer: one for all frames);"
        " `language_bind` lets it attend over time, too, gives every block times and takes the projection away",
        "norm and attention copy the block's own; the projection after them and the times at zero, so as CLIP"
        " (LanguageBind: no projection, times drawn)",
        "image weights from ImageNet, all trained, without text (LanguageBind: from a CLIP, whose texts stay)",
        sets=("timesformer_divided", "language_bind"),
        layouts=("TimeSformer in Hugging Face's layout",),
    ),
    "frozen_in_time": Mechanism(
        "Frozen in time",
        "Bain et al., ICCV 2021, arXiv 2104.00650",
        (
            _TIMES,
            Part(
                "before attention",
                "attention",
                "time",
                "Each patch attends to the CLS token and those at its place in all frames; only attention within the"
                " frame reads the result, and the residual goes around it. One CLS token asks all patches of all"
                " frames.",
            ),
        ),
        "the projection's bias starts at zero",
        "over time: queries, keys and values at zero, the projection at one, norm and times new",
        "image weights from ImageNet, all trained on web videos with text",
        sets=("frozen_in_time", "bridge_former", "bridge_former_clip"),
    ),
    "clip_vip": Mechanism(
        "CLIP-ViP",
        "Xue et al., ICLR 2023, arXiv 2209.06430",
        (
            Part(
                "input",
                "3 proxies, times",
                "nothing",
                "Three tokens of the video stand beside its one CLS token; patches get a position for each time.",
            ),
            Part(
                "attention",
                "proxy attention",
                "all",
                "CLS token and proxies attend to all tokens of all frames, a patch to them and to its own frame.",
                learned=False,
            ),
        ),
        "fewer frames than times take the first times (there: times are stretched); the auxiliary captions of its"
        " pretraining aren't read",
        "proxies from N(0, 1) plus the CLS token's position, times at zero; does not start as CLIP",
        "pretrained on HD-VILA-100M with captions of frames, then all weights, AdamW 1e-6, batch 128, 12 frames",
        sets=("clip_vip",),
    ),
    "neighbour_attention": Mechanism(
        "Open-VCLIP, neighbour attention",
        "Weng et al., ICML 2023, arXiv 2302.00624",
        (
            Part(
                "attention",
                "neighbours' tokens",
                "neighbours",
                "CLIP's own attention also reads all tokens of the frame before and of the frame behind, CLS tokens"
                " too, without telling one from the other; beyond a clip's ends are keys and values of zero.",
                learned=False,
            ),
        ),
        "frames count in the mean as they are, and a video's score is a cosine (there: the mean of the frames'"
        " cosines); studies train without the loss at interpolated weights (train.interpolated_loss), test one epoch"
        " instead of the mean over epochs (train.averaged_from), and don't mix weights with CLIP's afterwards"
        " (clip-share of stan export)",
        f"{FREE}; does not start as CLIP, not even for one frame",
        "image tower and logit scale, AdamW 3.33e-6, batch 64, 22 epochs, 8 frames, loss also at weights between CLIP's"
        " and its own; epochs are averaged, then mixed with CLIP",
        sets=("open_vclip", "open_vclip_step2"),
    ),
    "joint_space_time": Mechanism(
        "Joint space-time attention (TimeSformer, ViCLIP, VideoCLIP-XL)",
        f"{_TIMESFORMER}; Wang et al., ICLR 2024, arXiv 2307.06942; Wang et al., EMNLP 2024, arXiv 2410.00741",
        (
            _TIMES,
            Part(
                "attention",
                "joint attention",
                "all",
                "CLIP's own attention reads the tokens of all frames as one sequence.",
                learned=False,
            ),
        ),
        "every frame keeps its own CLS token (there: one for all frames), and times are also added to it, behind CLIP's"
        " first LayerNorm (ViCLIP: before it)",
        "times at zero; with one frame as CLIP",
        "image weights from ImageNet, all trained, without text (ViCLIP: from a CLIP, with texts)",
        sets=("timesformer_joint", "viclip", "video_clip_xl"),
        layouts=("TimeSformer in Hugging Face's layout", "ViViT in Hugging Face's layout"),
    ),
    "trajectory_attention": Mechanism(
        "Motionformer, trajectory attention",
        "Patrick et al., NeurIPS 2021, arXiv 2106.05392",
        (
            _TIMES,
            Part(
                "attention",
                "trajectories",
                "all",
                "CLIP's own attention asks one frame's patches at a time; what a patch found in all frames is mixed by"
                " new attention, asked by what it found in its own.",
            ),
        ),
        "every frame keeps its own CLS token, which reads its own frame (there: one for all, which reads all patches),"
        " and the last block is CLIP's; frames aren't joined to tubelets",
        "the new attention from N(0, .02²), times at zero",
        "image weights from ImageNet, all trained, without text",
        sets=("motionformer", "motionformer_hr"),
    ),
    "token_roll": Mechanism(
        "All-in-one, token roll",
        "Wang et al., CVPR 2023, arXiv 2203.07303",
        (
            Part(
                "before attention",
                "patches roll",
                "neighbours",
                "An eighth of a frame's patches comes from the previous frame, an eighth from the next.",
                learned=False,
            ),
        ),
        "patches keep their order, times are not learned, and rolling is never skipped (there patches are shuffled in"
        " every pass, and a video without text is not rolled)",
        FREE,
        "one network for video and text, trained anew on web videos",
        sets=("all_in_one",),
    ),
    "token_learner": Mechanism(
        "TokenLearner",
        "Ryoo et al., NeurIPS 2021, arXiv 2106.11297",
        (
            Part(
                "halfway",
                "8 learned tokens",
                "frame",
                "Eight learned maps pool each frame's patches to eight tokens, which get time positions.",
            ),
            Part(
                "attention",
                "joint attention",
                "all",
                "From there on, CLIP's own attention reads the tokens of all frames as one sequence.",
                learned=False,
            ),
        ),
        "frames are joined at the pooling and keep their CLS tokens (there: joined in all blocks, without a CLS token,"
        " and the video is the mean of all tokens); the maps start flatter",
        "maps as torch draws linear layers, times at zero",
        "image weights from JFT, all trained, without text",
        sets=("token_learner",),
    ),
}
