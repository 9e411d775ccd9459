"""Names of similarities in; what each compares, and how, out."""

from __future__ import annotations

from stan.report.mechanisms.part import (
    CLIP2VIDEO,
    CLIP4CLIP,
    CLIP4CLIP_RECIPE,
    FREE,
    X_CLIP,
    X_CLIP_RECIPE,
    Mechanism,
    Part,
)

_MUG = "Liu et al. 2023, arXiv 2311.15075"


def _score(label: str, words: str, mixes: str = "nothing", learned: bool = True) -> Part:
    return Part("score", label, mixes, words, learned)


SIMILARITIES: dict[str, Mechanism] = {
    "cosine": Mechanism(
        "Cosine",
        "Radford et al., ICML 2021 (CLIP), arXiv 2103.00020",
        (_score("cosine", "The cosine of the video's embedding and the text's.", learned=False),),
        "none known",
        FREE,
        "cross-entropy in both directions",
        sets=("clip4clip_meanp",),
    ),
    "tight_transformer": Mechanism(
        "CLIP4Clip tightTransf",
        CLIP4CLIP,
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
        CLIP4CLIP_RECIPE,
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
    "concept_spotting": Mechanism(
        "BIKE video concept spotting",
        "Wu et al., CVPR 2023, arXiv 2301.00182",
        (
            _score(
                "choice by words",
                "Each word chooses among the frames by their cosines; the frames' mean, weighted by all words' choices,"
                " is compared with the text.",
                "time",
                learned=False,
            ),
        ),
        "padding behind the text doesn't choose (there it does, as words)",
        FREE,
        "text tower frozen, AdamW 5e-5, CLIP at a tenth of it, KL loss, batch 256, 30 epochs, 8 frames",
        "frames, tokens",
        sets=("bike",),
    ),
    "temporal_alignment": Mechanism(
        "CLIP2Video TAB",
        CLIP2VIDEO,
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
        FREE,
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
        FREE,
        "STAN's, after more pretraining",
        "frames, tokens",
        sets=("mug_heads",),
    ),
    "video_prompts": Mechanism(
        "X-CLIP video-specific prompts",
        X_CLIP,
        (
            _score(
                "text asks video",
                "Each text attends to the video in two layers; a tenth of the result is added to it before the cosine.",
            ),
        ),
        "texts attend to frame embeddings (there: to each patch's mean over frames)",
        "linear layers from N(0, .02²), the factor at 0.1",
        X_CLIP_RECIPE,
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
