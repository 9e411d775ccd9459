"""Names of temporal methods and similarities in; what each does to CLIP, where, and after which source, out.

The table is what cards and pictures are made of. It imports no torch, so that a page may read it at once.
"""

from __future__ import annotations

from dataclasses import dataclass

PLACES = {
    "text": "before the text tower",
    "input": "before CLIP's blocks",
    "halfway": "halfway through CLIP's blocks",
    "before attention": "inside the blocks, before attention",
    "attention": "inside the blocks, in attention",
    "after attention": "inside the blocks, before the MLP",
    "mlp": "inside the blocks, beside the MLP",
    "branch": "beside CLIP, in a branch",
    "end": "after CLIP's last block",
    "frames": "after CLIP, over frame embeddings",
    "pool": "after CLIP, where frames become a video",
    "score": "in the score",
}
"""Where a part may act, from the text and the pixels to the score."""
MIXES = ("nothing", "time", "neighbours", "frame", "all", "segments")
"""What a part mixes: each frame by itself; all frames; each frame with those beside it; the patches of a frame; the
patches of all frames; or frames into fewer."""


@dataclass(frozen=True)
class Part:
    """One part that a method adds to CLIP, or changes."""

    place: str
    """One of PLACES."""
    label: str
    """What it is, in the two or three words that a picture has room for."""
    mixes: str
    """One of MIXES."""
    words: str
    """What it does, in a sentence."""
    learned: bool = True
    """Whether it has parameters."""


@dataclass(frozen=True)
class Mechanism:
    """A method or similarity: its source, its parts in the order in which data pass them, and how it deviates."""

    title: str
    paper: str
    """Authors, where and when, arXiv number."""
    parts: tuple[Part, ...]
    differs: str
    """Where its defaults differ from the source, and why."""
    starts: str
    """What its parameters start as."""
    recipe: str
    """How the source trains it."""
    reads: str = "video, text"
    """What a similarity compares: `video` or `frames`, with `text`, `tokens` or `classes`."""
    sets: tuple[str, ...] = ()
    """Sets of reference outputs (`tests/golden`) that it is compared with."""
    layouts: tuple[str, ...] = ()
    """Released layouts that load and whose reference outputs are kept elsewhere, or not at all."""

    @property
    def where(self) -> str:
        """Where its parts act, in words."""
        return "; ".join(dict.fromkeys(PLACES[part.place] for part in self.parts))


_CLIP4CLIP = "Luo et al. 2021, arXiv 2104.08860"
_CLIP2VIDEO = "Fang et al. 2021, arXiv 2106.11097"
_ACTIONCLIP = "Wang et al. 2021, arXiv 2109.08472"
_X_CLIP = "Ni et al., ECCV 2022, arXiv 2208.02816"
_STAN = "Liu et al., CVPR 2023, arXiv 2301.11116"
_MUG = "Liu et al. 2023, arXiv 2311.15075"
_TIMESFORMER = "Bertasius et al., ICML 2021, arXiv 2102.05095"

_CLIP4CLIP_RECIPE = "all weights, Adam 1e-4, CLIP at a thousandth of it, batch 128, 5 epochs, 12 frames"
_ACTIONCLIP_RECIPE = "all weights, AdamW 5e-6, fusion times 10, KL loss over templates"
_X_CLIP_RECIPE = "AdamW 8e-6, new modules times 10, text tower frozen, mixup, cutmix, label smoothing 0.1"
_FREE = "no parameters"
_EPS_AND_MEAN = (
    "frames count as they are in the mean, as in STAN (there: after they got length 1), and LayerNorms keep"
    " CLIP's eps (there: 1e-12)"
)

_TIMES = Part(
    "input", "time positions", "nothing", "A learned position for each time is added to the tokens."
)


def _over_frames(label: str, words: str, mixes: str = "time") -> Part:
    return Part("frames", label, mixes, words)


def _score(label: str, words: str, mixes: str = "nothing", learned: bool = True) -> Part:
    return Part("score", label, mixes, words, learned)


TEMPORAL: dict[str, Mechanism] = {
    "mean": Mechanism(
        "Mean pooling (CLIP4Clip meanP)",
        _CLIP4CLIP,
        (
            Part(
                "pool",
                "mean",
                "time",
                "The video's embedding is the mean of its frames' embeddings.",
                learned=False,
            ),
        ),
        "frames count as they are, as in STAN's baseline; `normalised` gives each length 1 first, as there",
        _FREE,
        _CLIP4CLIP_RECIPE,
        sets=("clip4clip_meanp",),
        layouts=("ViFi-CLIP",),
    ),
    "sequence_transformer": Mechanism(
        "CLIP4Clip seqTransf",
        _CLIP4CLIP,
        (
            _over_frames(
                "4 blocks",
                "Frame embeddings get positions and pass transformer blocks; the result is added to them.",
            ),
        ),
        _EPS_AND_MEAN,
        "copies of CLIP's text positions and first text blocks",
        _CLIP4CLIP_RECIPE,
        sets=("clip4clip_seqtransf",),
    ),
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
    "temporal_difference": Mechanism(
        "CLIP2Video TDB",
        _CLIP2VIDEO,
        (
            _over_frames(
                "differences",
                "Differences of neighbouring frame embeddings pass a block and are squashed to (-1, 1).",
                "neighbours",
            ),
            _over_frames(
                "4 blocks",
                "Frames and differences alternate in one sequence through blocks; the frames' outputs are added to the"
                " frames.",
            ),
        ),
        f"{_EPS_AND_MEAN}; a difference counts if both of its frames are real (there: the first)",
        "copies of CLIP's text positions and first text blocks",
        "all weights, Adam 1e-4, CLIP at a thousandth of it, 12 frames",
        sets=("clip2video_tdb_tab",),
    ),
    "actionclip": Mechanism(
        "ActionCLIP Transf (also Text4Vis)",
        _ACTIONCLIP,
        (
            _over_frames(
                "6 blocks",
                "Frame embeddings get positions and pass transformer blocks; the result is added to them.",
            ),
        ),
        "blocks keep the form of CLIP's text blocks (there: eps 1e-12 and quick GELU for every CLIP)",
        "positions and linear layers from N(0, .02²)",
        _ACTIONCLIP_RECIPE,
        sets=("actionclip", "text4vis"),
    ),
    "actionclip_shift": Mechanism(
        "ActionCLIP Conv_1D",
        _ACTIONCLIP,
        (
            _over_frames(
                "channel shift",
                "A quarter of the channels comes from the previous frame, a quarter from the next, by a convolution"
                " that training may change; the result is added to the frames.",
                "neighbours",
            ),
        ),
        "frames and channels are turned before the convolution (there they are not, which mixes the two)",
        "the exact shift",
        _ACTIONCLIP_RECIPE,
        sets=("actionclip_conv1d",),
    ),
    "temporal_shift": Mechanism(
        "ActionCLIP tsm",
        f"{_ACTIONCLIP}; after Lin et al., ICCV 2019, arXiv 1811.08383",
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
        _FREE,
        _ACTIONCLIP_RECIPE,
        sets=("actionclip_tsm",),
    ),
    "efficient_prompting": Mechanism(
        "Efficient prompting (A6)",
        "Ju et al., ECCV 2022, arXiv 2112.04478",
        (
            Part("text", "vectors", "nothing", "Learned vectors stand before and after the words of a text."),
            _over_frames(
                "2 blocks", "Frame embeddings get positions and pass transformer blocks, without a residual."
            ),
        ),
        "the vectors behind the words are one list, as in the paper (the code takes them from a table by"
        " their place)",
        "vectors and positions from N(0, .01²), blocks as torch draws them",
        "CLIP frozen, AdamW 1e-4, logits divided by 0.07, 16 frames",
        sets=("efficient_prompt",),
    ),
    "factorised_encoder": Mechanism(
        "ViViT, factorised encoder",
        "Arnab et al., ICCV 2021, arXiv 2103.15691",
        (
            _over_frames(
                "CLS + 4 blocks",
                "A CLS token of its own joins the frame embeddings; after blocks and a LayerNorm it stands for the"
                " video.",
            ),
        ),
        "blocks have the form of CLIP's text blocks (there: tanh GELU and eps 1e-6)",
        "all drawn anew from N(0, .02²); none come from CLIP",
        "image weights from ImageNet, all trained, without text",
        sets=("vivit_factorised_encoder",),
    ),
    "vtn": Mechanism(
        "VTN",
        "Neimark et al. 2021, arXiv 2102.00719",
        (
            _over_frames(
                "Longformer",
                "A CLS token of its own joins the frame embeddings; in three post-norm layers it asks all frames, and"
                " each frame those near to it. After an MLP it stands for the video.",
            ),
        ),
        "none known",
        "the CLS from N(0, 1), all else from N(0, .02²); none come from CLIP",
        "image weights from ImageNet, all trained, without text",
        sets=("vtn",),
    ),
    "x_clip": Mechanism(
        "X-CLIP",
        _X_CLIP,
        (
            Part(
                "before attention",
                "messages",
                "time",
                "Each frame's CLS token writes a message; messages attend to each other, and each joins its frame's"
                " tokens as the block attends within the frame.",
            ),
            _over_frames(
                "MIT, 1 block",
                "Frame embeddings get positions and pass a block; the result is added to them.",
            ),
        ),
        "no paths are dropped in training",
        "all drawn, as there; does not start as CLIP",
        _X_CLIP_RECIPE,
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
        _FREE,
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
        sets=("frozen_in_time",),
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
        _FREE,
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
"""By the names of `stan.models.temporal.METHODS`."""

SIMILARITIES: dict[str, Mechanism] = {
    "cosine": Mechanism(
        "Cosine",
        "Radford et al., ICML 2021 (CLIP), arXiv 2103.00020",
        (_score("cosine", "The cosine of the video's embedding and the text's.", learned=False),),
        "none known",
        _FREE,
        "cross-entropy in both directions",
        sets=("clip4clip_meanp",),
    ),
    "tight_transformer": Mechanism(
        "CLIP4Clip tightTransf",
        _CLIP4CLIP,
        (
            _score(
                "joint transformer",
                "Text and frames of a pair pass blocks as one sequence; two linear layers turn the text's place into a"
                " score.",
                "all",
            ),
        ),
        "nothing is dropped out in training (there: a tenth of the input), and LayerNorms keep CLIP's eps",
        "copies of CLIP's text positions and first text blocks; linear layers from N(0, .02²)",
        _CLIP4CLIP_RECIPE,
        "frames, text",
        sets=("clip4clip_tighttransf",),
    ),
    "text_conditioned_pooling": Mechanism(
        "X-Pool",
        "Gorti et al., CVPR 2022, arXiv 2203.15086",
        (
            _score(
                "pooling by the text",
                "The text attends to the frames; what it finds passes a linear layer and is compared with the text by"
                " cosine.",
                "time",
            ),
        ),
        "nothing is dropped out in training (there: 0.3 or 0.4 of the linear layer's output)",
        "all linear layers as the identity",
        "all weights, AdamW 3e-5 or 1e-5, CLIP at 1e-6, batch 32, 5 epochs, 12 frames",
        "frames, text",
        sets=("x_pool",),
    ),
    "temporal_alignment": Mechanism(
        "CLIP2Video TAB",
        _CLIP2VIDEO,
        (
            _score(
                "shared centres",
                "Tokens and frames are assigned to shared centres; their summed differences from these are compared"
                " by cosine, beside the plain cosine.",
            ),
        ),
        "the temporal method's frames are aligned (there: CLIP's own and resampled ones)",
        "centres from N(0, 1/64)",
        "all weights, Adam 1e-4, CLIP at a thousandth of it, 12 frames",
        "frames, tokens",
        sets=("clip2video_tdb_tab",),
    ),
    "token_interaction": Mechanism(
        "DRL weighted token interaction",
        "Wang et al. 2022, arXiv 2203.07111",
        (
            _score(
                "best matches",
                "Each token's best frame and each frame's best token, averaged with learned weights.",
                "all",
            ),
        ),
        "padding is left out of the maxima (there it counts as a cosine of 0)",
        "linear layers from N(0, .02²)",
        "all weights, 1e-4, CLIP at a thousandth of it, decorrelation of channels",
        "frames, tokens",
        sets=("drl_wti",),
    ),
    "mug_simple": Mechanism(
        "Mug-STAN, averaged scores",
        _MUG,
        (
            _score(
                "weighted matches",
                "Tokens and frames weigh each other by how well they match; the matches are averaged.",
                "all",
                learned=False,
            ),
        ),
        "none known",
        _FREE,
        "STAN's, after more pretraining",
        "frames, tokens",
        sets=("mug_heads",),
    ),
    "mug_full": Mechanism(
        "Mug-STAN, averaged embeddings",
        _MUG,
        (
            _score(
                "weighted means",
                "Tokens and frames weigh each other by how well they match; the weighted means of their embeddings are"
                " compared.",
                "all",
                learned=False,
            ),
        ),
        "padding behind the text has no weight (there it has, by the plain mean of its cosines)",
        _FREE,
        "STAN's, after more pretraining",
        "frames, tokens",
        sets=("mug_heads",),
    ),
    "video_prompts": Mechanism(
        "X-CLIP video-specific prompts",
        _X_CLIP,
        (
            _score(
                "text asks video",
                "Each text attends to the video in two layers; a tenth of the result is added to it before the cosine.",
            ),
        ),
        "texts attend to frame embeddings (there: to each patch's mean over frames)",
        "linear layers from N(0, .02²), the factor at 0.1",
        _X_CLIP_RECIPE,
        "frames, text",
        sets=("x_clip",),
        layouts=("X-CLIP in Hugging Face's layout",),
    ),
    "linear_classifier": Mechanism(
        "Linear classifier (ST-Adapter, AIM)",
        "Pan et al., NeurIPS 2022, arXiv 2206.13559; Yang et al., ICLR 2023, arXiv 2302.03024",
        (
            _score(
                "a row per class", "A linear layer turns the video's embedding into a score for each class."
            ),
        ),
        "scores are divided by the logit scale that multiplies them later",
        "weights from N(0, .02²), biases at zero",
        "cross-entropy over classes",
        "video, classes",
        sets=("st_adapter", "st_adapter_both", "aim", "aim_sthv2"),
    ),
}
"""By the names of `stan.models.similarity.SIMILARITIES`."""
