"""Names of methods that act on frame embeddings in, also where frames become a video; what each does out."""

from __future__ import annotations

from stan.report.mechanisms.part import (
    ACTIONCLIP,
    ACTIONCLIP_RECIPE,
    CLIP2VIDEO,
    CLIP4CLIP,
    CLIP4CLIP_RECIPE,
    FREE,
    Mechanism,
    Part,
    over_frames,
)

_EPS_AND_MEAN = (
    "frames count as they are in the mean, as in STAN (there: after they got length 1), and LayerNorms keep"
    " CLIP's eps (there: 1e-12)"
)

AFTER: dict[str, Mechanism] = {
    "mean": Mechanism(
        "Mean pooling (CLIP4Clip meanP)",
        CLIP4CLIP,
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
        FREE,
        CLIP4CLIP_RECIPE,
        sets=("clip4clip_meanp",),
        layouts=("ViFi-CLIP",),
    ),
    "sequence_transformer": Mechanism(
        "CLIP4Clip seqTransf",
        CLIP4CLIP,
        (
            over_frames(
                "4 blocks",
                "Frame embeddings get positions and pass transformer blocks; the result is added to them.",
            ),
        ),
        _EPS_AND_MEAN,
        "copies of CLIP's text positions and first text blocks",
        CLIP4CLIP_RECIPE,
        sets=("clip4clip_seqtransf",),
    ),
    "temporal_difference": Mechanism(
        "CLIP2Video TDB",
        CLIP2VIDEO,
        (
            over_frames(
                "differences",
                "Differences of neighbouring frame embeddings pass a block and are squashed to (-1, 1).",
                "neighbours",
            ),
            over_frames(
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
        "ActionCLIP Transf (also Text4Vis and BIKE)",
        ACTIONCLIP,
        (
            over_frames(
                "6 blocks",
                "Frame embeddings get positions and pass transformer blocks; the result is added to them.",
            ),
        ),
        "blocks keep the form of CLIP's text blocks (there: eps 1e-12 and quick GELU for every CLIP)",
        "positions and linear layers from N(0, .02²)",
        ACTIONCLIP_RECIPE,
        sets=("actionclip", "text4vis", "bike"),
    ),
    "actionclip_shift": Mechanism(
        "ActionCLIP Conv_1D",
        ACTIONCLIP,
        (
            over_frames(
                "channel shift",
                "A quarter of the channels comes from the previous frame, a quarter from the next, by a convolution"
                " that training may change; the result is added to the frames.",
                "neighbours",
            ),
        ),
        "frames and channels are turned before the convolution (there they are not, which mixes the two)",
        "the exact shift",
        ACTIONCLIP_RECIPE,
        sets=("actionclip_conv1d",),
    ),
    "efficient_prompting": Mechanism(
        "Efficient prompting (A6)",
        "Ju et al., ECCV 2022, arXiv 2112.04478",
        (
            Part("text", "vectors", "nothing", "Learned vectors stand before and after the words of a text."),
            over_frames(
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
            over_frames(
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
            over_frames(
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
}
