"""Offers the released rows that recognise a video by the texts of its classes.

Rows whose classes are weights stand in `linear_classifiers`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stan.config import ModelConfig, TrainConfig
from stan.experiments.paper_rows import Benchmark
from stan.experiments.released.rows import (
    ALL_DECAY,
    DECAYING,
    HALF,
    IN_A_SENTENCE,
    TESTED_IN_SOFTMAX,
    THREE_CLIPS,
    TRAINING,
    classes,
    cosine,
    row,
    scored,
    segments,
)

_PER_FRAME = "colours are drawn anew for every frame; here once for a clip"
_IMAGENET = "frames are normalised by ImageNet's mean and std; here by CLIP's"
_NO_LIMIT = "the logit scale has no upper limit; here 100"

_X_CLIP = TrainConfig(
    "text",
    epochs=30,
    batch=256,
    lr=8e-5,
    clip_lr_ratio=0.1,
    weight_decay=1e-3,
    warmup=5 / 30,
    clip_gradient=0.0,
    temperature=0.01,
    label_smoothing=0.1,
    mixup=0.8,
    cutmix=1.0,
    precision="bf16-mixed",
)


def _x_clip(backbone: str, frames: int, table: str) -> Benchmark:
    names = {"b32": "ViT-B-32", "b16": "ViT-B-16", "l14": "ViT-L-14"}
    patch = {"b32": "32_8", "b16": f"16_{frames}", "l14": "14_8"}[backbone]
    label = f"X-CLIP-{backbone[0].upper()}/{backbone[1:]}, {frames} frames, 4x3 views"
    return row(
        f"x_clip-kinetics-{backbone}-{frames}",
        classes("kinetics", "x_clip", frames),
        scored(names[backbone], "x_clip", "video_prompts", {"reads": "patches"}),
        _X_CLIP,
        f"microsoft/VideoX X-CLIP/configs/k400/{patch}.yaml, utils/ and datasets/build.py (0cf704a)",
        (table, label),
        ("views-4x3",),
        differs=(
            HALF,
            _PER_FRAME,
            TESTED_IN_SOFTMAX,
            "the rate ends at 8e-8, not 0",
            "clips are mixed within each card's 8 or 4; here within a process's batch",
            _IMAGENET,
        ),
    )


def _vifi_clip() -> Benchmark:
    return row(
        "vifi_clip-kinetics-b16-16",
        classes("kinetics", "vifi_clip", 16),
        cosine("ViT-B-16", "mean"),
        replace(_X_CLIP, frozen="nothing", batch=512, lr=2.2e-5, clip_lr_ratio=1.0, learned_scale=True),
        "muzairkhattak/ViFi-CLIP configs/fully_supervised/k400/16_16_vifi_clip.yaml, utils/ and trainers/vificlip.py"
        " (dea0d7e), main.py (b98ad83); datasets/build.py as copied in matteocacciola/ViFi-CLIP (07f9791)",
        ("released", "ViFi-CLIP-B/16, 16 frames, 4x3 views"),
        ("views-4x3",),
        differs=(
            HALF,
            _PER_FRAME,
            DECAYING,
            _NO_LIMIT,
            IN_A_SENTENCE,
            TESTED_IN_SOFTMAX,
            "the embeddings of the text's tokens stay; here they are trained, too",
            "the rate ends at 2.2e-7, not 0",
            "clips are mixed within each card's 4; here within a process's batch",
            _IMAGENET,
        ),
    )


_ACTIONCLIP = TrainConfig(
    "nothing",
    epochs=50,
    batch=128,
    lr=5e-5,
    clip_lr_ratio=0.1,
    weight_decay=0.2,
    warmup=5 / 50,
    clip_gradient=0.0,
    temperature=0.01,
    learned_scale=True,
    loss="kl",
    sentences="video",
    precision="bf16-mixed",
)


_TRANSF: dict[str, Any] = {"eps": 1e-12, "activation": "quick_gelu"}
_RAND_AUGMENT_PER_FRAME = "RandAugment comes before the crop, and is drawn anew for every frame"
_MIDDLE = "training takes the middle frame of each segment; here a random one"


def _actionclip(name: str, model: ModelConfig, batch: int, file: str, label: str, *differs: str) -> Benchmark:
    worded = {"templates": "actionclip", "template_average": "probabilities"}
    return row(
        name,
        replace(classes("kinetics", "actionclip"), **worded),
        model,
        replace(_ACTIONCLIP, batch=batch),
        f"sallymmx/ActionCLIP {file}, train.py, utils/ and README",
        ("released", label),
        differs=(
            HALF,
            _PER_FRAME,
            _RAND_AUGMENT_PER_FRAME,
            DECAYING,
            _NO_LIMIT,
            *differs,
        ),
    )


def _bike() -> Benchmark:
    scoring = {"padded": True}
    return row(
        "bike-kinetics-b16-8",
        classes("kinetics", "bike"),
        scored("ViT-B-16", "actionclip", "concept_spotting", scoring, **_TRANSF),
        replace(_ACTIONCLIP, frozen="text", epochs=30, batch=256, warmup=5 / 30),
        "whwu95/BIKE configs/k400/k400_train_rgb_vitb-16-f8.yaml (53eef58), train.py, test.py, datasets/ and utils/"
        " (2b20cd2); its loss, optimizer and schedule as in whwu95/Text4Vis utils/ (238c07f), which it was made from",
        ("released", "BIKE-B/16, 8 frames, 4x3 views"),
        ("views-4x3",),
        differs=(
            HALF,
            DECAYING,
            _NO_LIMIT,
            IN_A_SENTENCE,
            "the rate changes every ten steps; here in every step",
            "views are averaged behind a softmax of their cosines; here as logits",
        ),
    )


def _text4vis() -> Benchmark:
    return row(
        "text4vis-kinetics-b16-8",
        classes("kinetics", "text4vis"),
        cosine("ViT-B-16", "actionclip", **_TRANSF),
        replace(
            _ACTIONCLIP,
            frozen="text",
            epochs=30,
            batch=256,
            warmup=5 / 30,
            loss="cross-entropy",
            sentences="class",
        ),
        "whwu95/Text4Vis configs/k400/k400_train_rgb_vitb-16-f8.yaml (092ad0a), train.py, test.py, datasets/, modules/,"
        " scripts/ and utils/ (238c07f)",
        ("released", "Text4Vis-B/16, 8 frames, 4x3 views"),
        ("views-4x3",),
        differs=(
            HALF,
            _RAND_AUGMENT_PER_FRAME,
            DECAYING,
            _NO_LIMIT,
            IN_A_SENTENCE,
            "the rate changes every ten steps; here in every step",
            "views are averaged as embeddings; here as logits",
        ),
    )


_PROMPTS = TrainConfig(
    "clip",
    epochs=20,
    batch=64,
    lr=1e-4,
    beta2=0.999,
    weight_decay=0.01,
    schedule="constant",
    warmup=0.0,
    clip_gradient=0.0,
    temperature=0.07,
)
"""Efficient-Prompt's. Its cosine would take 200,000 steps, of which it takes 1,100, so that its rate hardly falls."""


def _efficient_prompt() -> list[Benchmark]:
    model = cosine("ViT-B-16", "efficient_prompting", prefix=16, suffix=16, layers=1, heads=8, table=True)
    source = "ju-chen/Efficient-Prompt README (e9a8961) and src/ (93852c4)"
    shared = (ALL_DECAY, "testing averages five draws of frames; here one")
    return [
        row(
            "efficient_prompt-hmdb51", classes("hmdb51", "none", 16), model, _PROMPTS, source, differs=shared
        ),
        row(
            "efficient_prompt-kinetics",
            classes("kinetics", "none", 16),
            model,
            _PROMPTS,
            source,
            ("recognition", "A6, 16 frames"),
            unstated=("epochs", *TRAINING),
            differs=(*shared, "only HMDB51's settings are released; these are HMDB51's"),
        ),
    ]


_OPEN_VCLIP = TrainConfig(
    "text",
    epochs=22,
    batch=64,
    lr=3.33e-6,
    clip_lr_ratio=1.0,
    beta2=0.999,
    weight_decay=1e-2,
    warmup=2 / 22,
    clip_gradient=1.0,
    temperature=0.01,
    learned_scale=True,
    interpolated_loss=0.5,
    averaged_from=2,
    precision="bf16-mixed",
)


def _open_vclip() -> Benchmark:
    return row(
        "open_vclip-kinetics-b32-8",
        classes("kinetics", "open_vclip"),
        cosine("ViT-B-32", "neighbour_attention", normalised=True),
        _OPEN_VCLIP,
        "wengzejia1/Open-VCLIP configs/Kinetics/TemporalCLIP_vitb32_8x16_STAdapter.yaml,"
        " script/training/temporal_b32/, slowfast/, tools/ and weight_average_tool.py (c126cc6)",
        views=("views-1x3",),
        differs=(
            HALF,
            segments(16),
            THREE_CLIPS,
            "the mean over epochs is mixed half and half with CLIP; here stan export --clip-share 0.5 mixes it",
            "classes of other sets are tested, which it wasn't trained on; here Kinetics' own",
            "each class is the mean of 28 sentences; here the name alone",
            "cosines are averaged over frames; here directions, made as long as one again",
            "the rate starts and ends at 3.33e-8, not 0",
            "the logit scale decays and has no upper limit; here it doesn't and has 100",
        ),
    )


TEXT_CLASSIFIERS: tuple[Benchmark, ...] = (
    _x_clip("b32", 8, "released"),
    _x_clip("b16", 8, "recognition"),
    _x_clip("b16", 16, "recognition"),
    _x_clip("l14", 8, "released"),
    _actionclip(
        "actionclip-kinetics-b32-8",
        cosine("ViT-B-32", "actionclip", **_TRANSF),
        64,
        "configs/k400/k400_ft_tem.yaml (a06b48d)",
        "ActionCLIP-B/32, 8 frames, 1x1 views",
        _MIDDLE,
    ),
    _actionclip(
        "actionclip-kinetics-b16-8",
        cosine("ViT-B-16", "actionclip", **_TRANSF),
        128,
        "configs/k400/k400_train.yaml (377e5ad)",
        "ActionCLIP-B/16, 8 frames, 1x1 views",
    ),
    _actionclip(
        "actionclip_tsm-kinetics-b32-8",
        cosine("ViT-B-32", "temporal_shift"),
        64,
        "configs/k400/k400_ft_tsm.yaml (a06b48d)",
        "",
        _MIDDLE,
        "a rate of 5e-5 is CLIP's 5e-6, as there are no new parameters",
    ),
    _bike(),
    _text4vis(),
    _vifi_clip(),
    *_efficient_prompt(),
    _open_vclip(),
)
