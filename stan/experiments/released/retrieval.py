"""Offers retrieval's released rows: what a source trains with, what it leaves open, what an experiment can't say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stan.config import DataConfig, TrainConfig
from stan.experiments.paper_rows import Benchmark
from stan.experiments.released.rows import HALF, TRAINING, captions, cosine, row, scored

_BERT_ADAM = (
    "BertAdam: its averages are not corrected for their start, epsilon is 1e-6, each parameter's gradient is cut to"
    " length 1 once more, and the cosine counts from the first step, so that it starts at 98 % after warm-up"
)
_UNIFORM = (
    "frames are spread over the video at one a second; here over all of its frames, at the middle of segments"
)
_EVERY_CAPTION = "an epoch visits every caption; here every video, with one of its captions"
_EPSILON = "AdamW's epsilon is 1e-6"

_CLIP4CLIP = TrainConfig(
    "nothing",
    epochs=5,
    batch=128,
    lr=1e-4,
    clip_lr_ratio=1e-3,
    weight_decay=0.2,
    clip_gradient=1.0,
    temperature=0.01,
    learned_scale=True,
    loss="contrastive-mean",
)
"""CLIP4Clip's, which DRL shares."""

_AFTER: dict[str, Any] = {"normalised": True, "eps": 1e-12}
"""What CLIP4Clip, DRL and CLIP2Video fix of the blocks behind CLIP."""


def _clip4clip() -> list[Benchmark]:
    heads = {
        "meanp": (cosine("ViT-B-32", "mean", normalised=True), ""),
        "seqtransf": (cosine("ViT-B-32", "sequence_transformer", **_AFTER), "Clip4Clip"),
        "tighttransf": (scored("ViT-B-32", "mean", "tight_transformer", {"dropout": 0.1, "eps": 1e-12}), ""),
    }
    return [
        row(
            f"clip4clip-{head}-msrvtt",
            captions("msrvtt"),
            model,
            _CLIP4CLIP,
            "ArrowLuo/CLIP4Clip README and main_task_retrieval.py (8893d04)",
            ("retrieval", label),
            differs=(_BERT_ADAM, _UNIFORM, _EVERY_CAPTION),
        )
        for head, (model, label) in heads.items()
    ]


def _drl() -> Benchmark:
    return row(
        "drl-msrvtt",
        captions("msrvtt"),
        scored("ViT-B-32", "sequence_transformer", "token_interaction", {"padded_as_zero": True}, **_AFTER),
        replace(_CLIP4CLIP, decorrelation=1.1e-4, decorrelated="weighed-tokens"),
        "foolwood/DRL README and main.py (475f96c)",
        ("released", "DRL-B/32, WTI and CDCR"),
        differs=(_BERT_ADAM, _UNIFORM, _EVERY_CAPTION),
    )


def _clip2video() -> Benchmark:
    return row(
        "clip2video-msrvtt",
        captions("msrvtt"),
        scored(
            "ViT-B-32",
            "temporal_difference",
            "temporal_alignment",
            {"resampled": True, "eps": 1e-12},
            **_AFTER,
            first_frame_mask=True,
        ),
        _CLIP4CLIP,
        "CryhanFang/CLIP2Video README and test/MSRVTT9k_TAB_TDB.sh (e941318)",
        ("released", "CLIP2Video-B/32"),
        unstated=("augmentation", *TRAINING),
        differs=(
            "no training code is released: what is unstated is CLIP4Clip's, on which the code is built",
            _UNIFORM,
        ),
    )


def _x_pool(suite: str, lr: float, dropout: float, label: str) -> Benchmark:
    return row(
        f"x_pool-{suite}",
        captions(suite, words=77, augmentation="x_pool"),
        scored("ViT-B-32", "mean", "text_conditioned_pooling", {"dropout": dropout}),
        replace(_CLIP4CLIP, batch=32, lr=lr, clip_lr_ratio=1e-6 / lr, beta2=0.999),
        "layer6ai-labs/xpool README (5995eb7), config/all_config.py and datasets/model_transforms.py (e0b4040)",
        ("released", label),
        differs=(
            _EVERY_CAPTION,
            "ten tests in each epoch choose what is kept; here the last epoch is",
            _EPSILON,
        ),
    )


def _center_clip() -> Benchmark:
    return row(
        "center_clip-msrvtt-7k",
        captions("msrvtt-7k"),
        cosine("ViT-B-32", "center_clip", segment=3, clusters=49, block=7, normalised=True, unmasked=True),
        replace(_CLIP4CLIP, lr=5e-3, precision="bf16-mixed"),
        "mzhaoshuai/CenterCLIP scripts/msrvtt.sh, setting 80 (87a0780), and params.py (cfce759)",
        ("released", "CenterCLIP-B/32, eclip_msrvtt_80"),
        unstated=("augmentation",),
        differs=(
            HALF,
            "rounding decides which token of a cluster of two stays; here the earlier frame's",
            _EPSILON,
            "a rate of 5e-3 is CLIP's 5e-6, as there are no new parameters",
        ),
    )


def _frozen_in_time() -> Benchmark:
    return row(
        "frozen_in_time-msrvtt",
        captions("msrvtt", frames=4, words=77, augmentation="frozen_in_time"),
        cosine("ViT-B-16", "frozen_in_time"),
        TrainConfig(
            "nothing",
            epochs=100,
            batch=16,
            lr=3e-5,
            clip_lr_ratio=1.0,
            beta2=0.999,
            weight_decay=0.0,
            schedule="constant",
            warmup=0.0,
            clip_gradient=0.0,
        ),
        "m-bain/frozen-in-time configs/msrvtt_4f_i21k.json (4ca18e3), train.py and data_loader/transforms.py (77e0372),"
        " model/loss.py (542164b); transformers' AdamW",
        ("retrieval", "Frozen"),
        differs=(
            "towers of ImageNet-21K and DistilBERT, trained on WebVid before (the printed numbers); here CLIP's",
            _EPSILON,
            "captions are read up to 512 tokens; here up to CLIP's 77",
            "frames are normalised by ImageNet's mean and std; here by CLIP's",
            "training stops after 10 epochs without a lower validation loss; here the best of 100 epochs is kept",
        ),
    )


def _clip_vip(size: str) -> Benchmark:
    return row(
        f"clip_vip-msrvtt-b{size}",
        captions("msrvtt", words=50, augmentation="clip_vip"),
        cosine(f"ViT-B-{size}", "clip_vip"),
        TrainConfig(
            "nothing",
            epochs=100,
            batch=128,
            lr=1e-6,
            clip_lr_ratio=1.0,
            weight_decay=0.2,
            warmup=0.01,
            clip_gradient=1.0,
            temperature=0.01,
            learned_scale=True,
            precision="bf16-mixed",
        ),
        f"microsoft/XPretrain CLIP-ViP/src/configs/msrvtt_retrieval/msrvtt_retrieval_vip_base_{size}.json,"
        " src/tasks/run_video_retrieval.py, src/datasets/ and src/optimization/ (5318f2a)",
        unstated=("batch",),
        differs=(
            HALF,
            "training goes on from weights of HD-VILA-100M, with captions that OFA wrote of frames as a second text;"
            " here from CLIP's",
            "the batch is 16 a card, of an unstated number; here that of 8 cards",
            "first and last frame lie at random near the video's ends, and the others evenly between; here each lies at"
            " random in a segment",
            "frames are squashed to a square; here cropped to one",
            "norms' gains and the CLS token decay; here only matrices",
            "the logit scale may reach 200; here 100",
        ),
    )


_MUG_STAN = TrainConfig("nothing", epochs=100, batch=128, lr=2e-5, temperature=0.01, precision="bf16-mixed")


def _mug_stan() -> list[Benchmark]:
    oscillating = "the rate rises and falls every 9 epochs after warm-up; here it falls once"
    long = "testing takes 32 frames; here as many as training"
    recipes: dict[str, tuple[DataConfig, dict[str, Any], tuple[str, ...]]] = {
        "msrvtt-b32": (captions("msrvtt"), {}, (oscillating, long)),
        "msrvtt-b16": (
            captions("msrvtt"),
            {"batch": 64, "lr": 1e-5, "weight_decay": 0.2, "temperature": 0.02},
            (oscillating, long),
        ),
        "didemo-b32": (
            captions("didemo", 64, 77),
            {"epochs": 20, "batch": 64, "weight_decay": 0.01, "temperature": 0.05, "warmup": 4 / 20},
            (),
        ),
        "lsmdc-b32": (
            captions("lsmdc"),
            {"lr": 1e-5, "clip_lr_ratio": 0.2, "weight_decay": 0.1, "temperature": 0.03, "warmup": 5 / 100},
            (oscillating,),
        ),
    }
    options = {"layers": 4, "cross_frame": "attention", "first_input": "released", "merge": "sum"}
    head = {"tau": 100.0, "released": True}
    return [
        row(
            f"mug_stan-{name}",
            replace(data, augmentation="crop"),
            scored(f"ViT-B-{name[-2:]}", "stan", "mug_full", head, **options),
            replace(_MUG_STAN, **recipe),
            f"farewellthree/STAN configs/exp/stan/mugstan_{name.replace('-', '_').replace('msrvtt', 'msrvt')}_hf.py",
            differs=(*differs, HALF, "training may start from weights trained on WebVid-10M; here from CLIP"),
        )
        for name, (data, recipe, differs) in recipes.items()
    ]


_PRETRAINING = TrainConfig(
    "text",
    clip_lr_ratio=1.0,
    weight_decay=0.2,
    clip_gradient=0.0,
    learned_scale=True,
    loss="contrastive-mean",
    precision="bf16-mixed",
)
"""What LanguageBind and ViCLIP share: the image tower learns from captions of the web, the text tower stays."""

_ZERO_SHOT = "other sets are tested, on which it wasn't trained; here the shards' own test split"


def _language_bind() -> Benchmark:
    model = cosine("ViT-L-14", "divided_space_time", language_bind=True)
    return row(
        "language_bind-vidal-l14",
        captions("webdataset", 8, 77, "language_bind"),
        replace(model, pretrained="datacomp_xl_s13b_b90k"),
        replace(_PRETRAINING, epochs=6, batch=1024, lr=1e-4, warmup=2000 / 59_040, temperature=0.07),
        "PKU-YuanGroup/LanguageBind scripts/video_language/train_1.5_large.sh (759a15a), main.py (03c4d6f), model/ and"
        " training/params.py (148c444), train.py (1c5f212), data/process_video.py (9ce57b0)",
        differs=(
            HALF,
            _ZERO_SHOT,
            _EPSILON,
            "pairs are VIDAL-10M's 10,076,613, whose 59,040 steps warm up in 2,000; here those of the shards",
            "a text of five kinds is drawn for each video: title, two captions, a caption of a sound, one of a frame",
            "patches, positions and the first norm stay; here they are trained, too",
            "every frame gets a CLS token of its own; here all share CLIP's",
            "three tenths of the patches are dropped in training; here none",
            "the same frames, from first to last, are read in every epoch; here a random one of each segment",
            "times start at random; here at zero",
        ),
    )


def _viclip() -> Benchmark:
    options = {"one_cls": True, "time_before_norm": True, "drop_path": 0.1}
    return row(
        "viclip-internvid-b16",
        captions("webdataset", 8, augmentation="viclip"),
        cosine("ViT-B-16", "joint_space_time", **options),
        replace(_PRETRAINING, epochs=10, batch=4096, lr=2e-4, warmup=0.5 / 10, temperature=0.01),
        "OpenGVLab/InternVideo InternVideo1/Pretrain/ViCLIP/exp/exp_pretrain_ViCLIP/viclip_base/ and models/viclip.py"
        " (e5460da), dataset/ (bc30308)",
        unstated=("loss",),
        differs=(
            HALF,
            _ZERO_SHOT,
            "nine tenths of the patches are dropped in training; here none",
            "the rate ends at 2e-6, not 0",
            "the temperature is trained; here its inverse's logarithm",
            "frames are normalised by ImageNet's mean and std, and squashed to a square in testing; here by CLIP's, and"
            " cropped to one",
        ),
    )


RETRIEVAL: tuple[Benchmark, ...] = (
    *_clip4clip(),
    _drl(),
    _clip2video(),
    _x_pool("msrvtt", 3e-5, 0.3, "X-Pool-B/32, 9k"),
    _x_pool("msrvtt-7k", 1e-5, 0.4, "X-Pool-B/32, 7k"),
    _x_pool("lsmdc", 1e-5, 0.3, "X-Pool-B/32"),
    _center_clip(),
    _frozen_in_time(),
    _clip_vip("32"),
    _clip_vip("16"),
    *_mug_stan(),
    _language_bind(),
    _viclip(),
)
