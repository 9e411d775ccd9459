"""Offers one experiment per rival with its authors' own training settings, and the numbers printed for them.

The studies train every method under one recipe; these rows train each under its own. They say where the settings come
from, which of them the source leaves open, and what of the source cannot be said in an experiment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stan.config import DataConfig, Experiment, ModelConfig, TrainConfig
from stan.data import label_sets
from stan.experiments.paper_rows import Benchmark

STUDY = "released"

TITLES = {
    "msrvtt": "MSR-VTT",
    "msrvtt-7k": "MSR-VTT",
    "didemo": "DiDeMo",
    "lsmdc": "LSMDC",
    "kinetics": "Kinetics-400",
    "something": "Something-Something-v2",
    "hmdb51": "HMDB51",
}
"""Suites by the names that printed tables give them."""

BERT_ADAM = (
    "BertAdam: its averages are not corrected for their start, epsilon is 1e-6, each parameter's gradient is cut to"
    " length 1 once more, and the cosine counts from the first step, so that it starts at 98 % after warm-up"
)
UNIFORM = (
    "frames are spread over the video at one a second; here over all of its frames, at the middle of segments"
)
SEGMENTS = "frames lie 16 apart from a random start on; here one in each segment of the video"
HALF = "half precision; here bfloat16"
DROPOUT = "half of what the classifier reads is dropped in training; here nothing"
THREE_CLIPS = "three clips of one crop are tested; here one clip of three crops"
TESTED_IN_SOFTMAX = "views are averaged as probabilities; here as logits"
RAND_AUGMENT = (
    "RandAugment comes before the crop, in timm's strengths, each with noise; here in torchvision's"
)
PER_FRAME = "colours are drawn anew for every frame; here once for a clip"


def _row(
    name: str,
    data: DataConfig,
    model: ModelConfig,
    train: TrainConfig,
    source: str,
    printed: tuple[str, str] = ("released", ""),
    views: tuple[str, ...] = (),
    unstated: tuple[str, ...] = (),
    differs: tuple[str, ...] = (),
) -> Benchmark:
    """Return a row. printed: (table, row) of its printed numbers."""
    experiment = Experiment(STUDY, name, data, model, train, test_time=views)
    table, label = printed
    return Benchmark(
        experiment, table, TITLES[data.suite], label, "released", unstated, source=source, differs=differs
    )


def _captions(suite: str, frames: int = 12, words: int = 32, augmentation: str = "none") -> DataConfig:
    return DataConfig(suite, "full", frames, words, augmentation=augmentation)


def _classes(suite: str, augmentation: str, frames: int = 8) -> DataConfig:
    return DataConfig(suite, "full", frames, 32, augmentation=augmentation)


def _model(backbone: str, temporal: str, similarity: str = "cosine", **options: Any) -> ModelConfig:
    return ModelConfig(backbone, "openai", temporal, options, similarity)


def _scored(
    backbone: str, temporal: str, similarity: str, scoring: dict[str, Any], **options: Any
) -> ModelConfig:
    return replace(_model(backbone, temporal, similarity, **options), similarity_options=scoring)


def _classifier(backbone: str, temporal: str, suite: str, **options: Any) -> ModelConfig:
    return _scored(backbone, temporal, "linear_classifier", {"classes": label_sets.count(suite)}, **options)


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
        "meanp": (_model("ViT-B-32", "mean", normalised=True), ""),
        "seqtransf": (_model("ViT-B-32", "sequence_transformer", **_AFTER), "Clip4Clip"),
        "tighttransf": (_scored("ViT-B-32", "mean", "tight_transformer", {"dropout": 0.1, "eps": 1e-12}), ""),
    }
    return [
        _row(
            f"clip4clip-{head}-msrvtt",
            _captions("msrvtt"),
            model,
            _CLIP4CLIP,
            "ArrowLuo/CLIP4Clip README and main_task_retrieval.py (8893d04)",
            ("retrieval", label),
            differs=(
                BERT_ADAM,
                UNIFORM,
                "an epoch visits every caption; here every video, with one of its captions",
            ),
        )
        for head, (model, label) in heads.items()
    ]


def _drl() -> Benchmark:
    return _row(
        "drl-msrvtt",
        _captions("msrvtt"),
        _scored("ViT-B-32", "sequence_transformer", "token_interaction", {"padded_as_zero": True}, **_AFTER),
        replace(_CLIP4CLIP, decorrelation=1.1e-4, decorrelated="weighed-tokens"),
        "foolwood/DRL README and main.py (475f96c)",
        ("released", "DRL-B/32, WTI and CDCR"),
        differs=(
            *(
                BERT_ADAM,
                UNIFORM,
                "an epoch visits every caption; here every video, with one of its captions",
            ),
        ),
    )


def _clip2video() -> Benchmark:
    return _row(
        "clip2video-msrvtt",
        _captions("msrvtt"),
        _scored(
            *("ViT-B-32", "temporal_difference", "temporal_alignment", {"resampled": True, "eps": 1e-12}),
            **_AFTER,
            first_frame_mask=True,
        ),
        _CLIP4CLIP,
        "CryhanFang/CLIP2Video README and test/MSRVTT9k_TAB_TDB.sh (e941318)",
        ("released", "CLIP2Video-B/32"),
        unstated=("augmentation", *_trained_settings()),
        differs=(
            "no training code is released: what is unstated is CLIP4Clip's, on which the code is built",
            UNIFORM,
        ),
    )


def _x_pool(suite: str, lr: float, dropout: float, label: str) -> Benchmark:
    return _row(
        f"x_pool-{suite}",
        _captions(suite, words=77, augmentation="x_pool"),
        _scored("ViT-B-32", "mean", "text_conditioned_pooling", {"dropout": dropout}),
        replace(_CLIP4CLIP, batch=32, lr=lr, clip_lr_ratio=1e-6 / lr, beta2=0.999),
        "layer6ai-labs/xpool README (5995eb7), config/all_config.py and datasets/model_transforms.py (e0b4040)",
        ("released", label),
        differs=(
            "an epoch visits every caption; here every video, with one of its captions",
            "ten tests in each epoch choose what is kept; here the last epoch is",
            "AdamW's epsilon is 1e-6",
        ),
    )


def _center_clip() -> Benchmark:
    return _row(
        "center_clip-msrvtt-7k",
        _captions("msrvtt-7k"),
        _model("ViT-B-32", "center_clip", segment=3, clusters=49, block=7, normalised=True, unmasked=True),
        replace(_CLIP4CLIP, lr=5e-3, precision="bf16-mixed"),
        "mzhaoshuai/CenterCLIP scripts/msrvtt.sh, setting 80 (87a0780), and params.py (cfce759)",
        ("released", "CenterCLIP-B/32, eclip_msrvtt_80"),
        unstated=("augmentation",),
        differs=(
            HALF,
            "rounding decides which token of a cluster of two stays; here the earlier frame's",
            "AdamW's epsilon is 1e-6",
            "a rate of 5e-3 is CLIP's 5e-6, as there are no new parameters",
        ),
    )


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
    return _row(
        f"x_clip-kinetics-{backbone}-{frames}",
        _classes("kinetics", "x_clip", frames),
        _scored(names[backbone], "x_clip", "video_prompts", {"reads": "patches"}),
        _X_CLIP,
        f"microsoft/VideoX X-CLIP/configs/k400/{patch}.yaml, utils/ and datasets/build.py (0cf704a)",
        (table, label),
        ("views-4x3",),
        differs=(
            *(HALF, PER_FRAME, TESTED_IN_SOFTMAX),
            "the rate ends at 8e-8, not 0",
            "clips are mixed within each card's 8 or 4; here within a process's batch",
            "frames are normalised by ImageNet's mean and std; here by CLIP's",
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


def _actionclip(backbone: str, batch: int, file: str, *differs: str) -> Benchmark:
    worded = {"templates": "actionclip", "template_average": "probabilities"}
    names = {"b32": "ViT-B-32", "b16": "ViT-B-16"}
    return _row(
        f"actionclip-kinetics-{backbone}-8",
        replace(_classes("kinetics", "actionclip"), **worded),
        _model(names[backbone], "actionclip", eps=1e-12, activation="quick_gelu"),
        replace(_ACTIONCLIP, batch=batch),
        f"sallymmx/ActionCLIP {file}, train.py, utils/ and README",
        ("released", f"ActionCLIP-B/{backbone[1:]}, 8 frames, 1x1 views"),
        differs=(
            *(HALF, PER_FRAME),
            "RandAugment comes before the crop, and is drawn anew for every frame",
            "weight decay is for all parameters; here not for biases, norms and gains",
            "the logit scale has no upper limit; here 100",
            *differs,
        ),
    )


_ADAPTER = TrainConfig(
    "clip",
    epochs=12,
    batch=192,
    lr=7.5e-4,
    beta2=0.999,
    weight_decay=1e-2,
    warmup=2 / 12,
    clip_gradient=0.0,
    temperature=0.01,
    precision="bf16-mixed",
)
"""ST-Adapter's: 1e-3 per 256 clips. A classifier's scores have no scale, so the temperature doesn't matter."""


def _st_adapter() -> list[Benchmark]:
    shared = (
        *(HALF, DROPOUT, TESTED_IN_SOFTMAX, "weights of all shapes decay, but no biases; here only matrices"),
        "one more adapter, before the last MLP, changes what the classifier doesn't read; here there is none",
    )
    adapters = {"width": 384, "norm_after_mean": True}
    source = "linziyi96/st-adapter scripts/train_{}.sh and main.py (bded03c)"
    return [
        _row(
            "st_adapter-kinetics",
            _classes("kinetics", "st_adapter"),
            _classifier("ViT-B-16", "st_adapter", "kinetics", before="mlp", **adapters),
            _ADAPTER,
            source.format("k400_clip_vit_b16_adapter12x384"),
            ("released", "ST-Adapter-B/16 12x384, 8 frames, 3x1 views"),
            ("views-1x3",),
            differs=(*shared, SEGMENTS, THREE_CLIPS),
        ),
        _row(
            "st_adapter-something",
            _classes("something", "st_adapter-something"),
            _classifier("ViT-B-16", "st_adapter", "something", before="attention and mlp", **adapters),
            replace(_ADAPTER, epochs=50, batch=256, lr=1e-3, warmup=2 / 50),
            source.format("ssv2_clip_vit_b16_adapter24x384"),
            ("released", "ST-Adapter-B/16 24x384, 8 frames, 1x3 views"),
            ("views-1x3",),
            differs=(
                *shared,
                RAND_AUGMENT,
            ),
        ),
    ]


_EVL = replace(_ADAPTER, epochs=53, batch=256, lr=4e-4, clip_lr_ratio=1.0, weight_decay=0.05, warmup=0.0)
"""EVL's: 50,000 steps."""


def _evl(backbone: str, size: str) -> Benchmark:
    return _row(
        f"evl-kinetics-{size}-8",
        _classes("kinetics", "evl"),
        _classifier(backbone, "evl", "kinetics", dropout=0.5),
        _EVL,
        f"OpenGVLab/efficient-video-recognition scripts/train_k400_vit{size}_8f_dec4x*.sh and main.py (a6774ec)",
        ("released", f"EVL-{size[0].upper()}/{size[1:]}, 8 frames, 3x1 views"),
        ("views-1x3",),
        differs=(
            *(HALF, DROPOUT, TESTED_IN_SOFTMAX, SEGMENTS, THREE_CLIPS),
            "it trains 50,000 steps, which are 53 epochs of 240,000 clips",
            "tensors of all shapes decay; here only matrices",
            RAND_AUGMENT,
        ),
    )


_AIM = replace(_EVL, epochs=30, batch=64, lr=3e-4, warmup=2.5 / 30)


def _aim() -> list[Benchmark]:
    shared = (
        *(HALF, DROPOUT, TESTED_IN_SOFTMAX, "biases decay, too; here only matrices"),
        "a token's path is dropped for all clips of a batch at once; here it is drawn for each clip",
    )
    adapters = {"time_before_norm": True, "drop_path": 0.2, "trained_norm": True}
    read = "adapt-image-models configs/recognition/vit/vitclip_base_{} and README, as copied in {}"
    return [
        _row(
            "aim-kinetics",
            _classes("kinetics", "crop+flip"),
            _classifier("ViT-B-16", "aim", "kinetics", **adapters),
            _AIM,
            read.format("k400.py", "lhxxxmad/AIM (16ee41c)"),
            ("released", "AIM-B/16, 8 frames, 3x1 views"),
            ("views-1x3",),
            differs=(*shared, SEGMENTS, THREE_CLIPS),
        ),
        _row(
            "aim-something",
            _classes("something", "aim-something"),
            _classifier("ViT-B-16", "aim", "something", adapted_input=True, scale=1.0, **adapters),
            replace(_AIM, epochs=50, warmup=2.5 / 50, label_smoothing=0.1),
            read.format("sthv2.py", "bigyaan/AIM_bigyan (7d54f79), which changed paths, batch and precision"),
            views=("views-1x3",),
            unstated=("batch",),
            differs=(
                *shared,
                "a box is erased in a quarter of the clips; here in none",
                "the batch of 64 is the one that the README calls the default",
            ),
        ),
    ]


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
    model = _model("ViT-B-16", "efficient_prompting", prefix=16, suffix=16, layers=1, heads=8, table=True)
    source = "ju-chen/Efficient-Prompt README (e9a8961) and src/ (93852c4)"
    shared = (
        "biases and norms decay, too; here only matrices",
        "testing averages five draws of frames; here one",
    )
    return [
        _row(
            "efficient_prompt-hmdb51",
            _classes("hmdb51", "none", 16),
            model,
            _PROMPTS,
            source,
            differs=shared,
        ),
        _row(
            "efficient_prompt-kinetics",
            _classes("kinetics", "none", 16),
            model,
            _PROMPTS,
            source,
            ("recognition", "A6, 16 frames"),
            unstated=("epochs", *_trained_settings()),
            differs=(*shared, "only HMDB51's settings are released; these are HMDB51's"),
        ),
    ]


_TIMESFORMER = TrainConfig(
    "nothing",
    epochs=15,
    batch=8,
    lr=5e-3,
    clip_lr_ratio=1.0,
    optimizer="sgd",
    weight_decay=1e-4,
    schedule="steps",
    warmup=0.0,
    clip_gradient=0.0,
    temperature=0.01,
)


def _timesformer(suite: str, augmentation: str, file: str) -> Benchmark:
    return _row(
        f"timesformer-{suite}",
        _classes(suite, augmentation),
        _classifier("ViT-B-16", "divided_space_time", suite, one_cls=True, drop_path=0.1),
        _TIMESFORMER,
        f"facebookresearch/TimeSformer configs/{file} and README",
        ("released", "TimeSformer, 8 frames, 1x3 views"),
        ("views-1x3",),
        unstated=("clip_gradient",),
        differs=(
            "the image tower is a ViT of ImageNet; here CLIP's",
            "biases and norms decay, too; here only matrices",
            "whether momentum is Nesterov's is not in the config; here it is not",
            *((SEGMENTS.replace("16", "32"),) if suite == "kinetics" else ()),
        ),
    )


_MOTIONFORMER = replace(
    _TIMESFORMER,
    epochs=35,
    batch=128,
    lr=1e-4,
    optimizer="adamw",
    beta2=0.999,
    weight_decay=0.05,
    label_smoothing=0.2,
    precision="bf16-mixed",
)


def _motionformer() -> list[Benchmark]:
    shared = (
        HALF,
        "the image tower is a ViT of ImageNet; here CLIP's",
        "16 frames are 8 tubelets; here 8 frames",
        "biases and norms decay, too; here only matrices",
        "a tanh layer stands before the classifier; here none",
        "the rate falls after 20 and 30 epochs; here after 26 and 33",
    )
    own = {
        "kinetics": (
            "timesformer",
            (
                SEGMENTS.replace("16", "4"),
                "ten clips of three crops are tested; here one clip",
                "colours are moved; here they stay",
            ),
        ),
        "something": ("motionformer-something", ("training goes on from Kinetics' weights", RAND_AUGMENT)),
    }
    return [
        _row(
            f"motionformer-{suite}",
            _classes(suite, augmentation),
            _classifier("ViT-B-16", "trajectory_attention", suite, one_cls=True, drop_path=0.2),
            _MOTIONFORMER,
            f"facebookresearch/Motionformer configs/{file}/motionformer_224_16x4.yaml and README",
            ("released", f"Motionformer, 16 frames, {views}"),
            ("views-1x3",),
            unstated=("clip_gradient", "beta2"),
            differs=(*shared, *differs),
        )
        for (suite, (augmentation, differs)), file, views in zip(
            own.items(), ("K400", "SSV2"), ("10x3 views", "1x3 views"), strict=True
        )
    ]


def _frozen_in_time() -> Benchmark:
    return _row(
        "frozen_in_time-msrvtt",
        _captions("msrvtt", frames=4, augmentation="frozen_in_time"),
        _model("ViT-B-16", "frozen_in_time"),
        TrainConfig(
            "nothing",
            epochs=100,
            batch=16,
            lr=3e-5,
            clip_lr_ratio=1.0,
            beta2=0.999,
            weight_decay=0.01,
            schedule="constant",
            warmup=0.0,
            clip_gradient=0.0,
        ),
        "m-bain/frozen-in-time configs/msrvtt_4f_i21k.json (4ca18e3), data_loader/transforms.py, model/loss.py",
        ("retrieval", "Frozen"),
        unstated=("words", "weight_decay"),
        differs=(
            "towers of ImageNet-21K and DistilBERT, trained on WebVid before (the printed numbers); here CLIP's",
            "training stops after 10 epochs without a lower validation loss; here the best of 100 epochs is kept",
        ),
    )


_MUG_STAN = TrainConfig("nothing", epochs=100, batch=128, lr=2e-5, temperature=0.01, precision="bf16-mixed")


def _mug_stan() -> list[Benchmark]:
    oscillating = "the rate rises and falls every 9 epochs after warm-up; here it falls once"
    long = "testing takes 32 frames; here as many as training"
    recipes: dict[str, tuple[DataConfig, dict[str, Any], tuple[str, ...]]] = {
        "msrvtt-b32": (_captions("msrvtt"), {}, (oscillating, long)),
        "msrvtt-b16": (
            _captions("msrvtt"),
            {"batch": 64, "lr": 1e-5, "weight_decay": 0.2, "temperature": 0.02},
            (oscillating, long),
        ),
        "didemo-b32": (
            _captions("didemo", 64, 77),
            {"epochs": 20, "batch": 64, "weight_decay": 0.01, "temperature": 0.05, "warmup": 4 / 20},
            (),
        ),
        "lsmdc-b32": (
            _captions("lsmdc"),
            {"lr": 1e-5, "clip_lr_ratio": 0.2, "weight_decay": 0.1, "temperature": 0.03, "warmup": 5 / 100},
            (oscillating,),
        ),
    }
    options = {"layers": 4, "cross_frame": "attention", "first_input": "released", "merge": "sum"}
    head = {"tau": 100.0, "released": True}
    return [
        _row(
            f"mug_stan-{name}",
            replace(data, augmentation="crop"),
            _scored(f"ViT-B-{name[-2:]}", "stan", "mug_full", head, **options),
            replace(_MUG_STAN, **recipe),
            f"farewellthree/STAN configs/exp/stan/mugstan_{name.replace('-', '_').replace('msrvtt', 'msrvt')}_hf.py",
            differs=(*differs, HALF, "training may start from weights trained on WebVid-10M; here from CLIP"),
        )
        for name, (data, recipe, differs) in recipes.items()
    ]


def _trained_settings() -> tuple[str, ...]:
    """Return the settings of a training, for sources that release none."""
    return ("batch", "lr", "weight_decay", "schedule", "warmup", "clip_gradient", "temperature")


RELEASED: dict[str, Benchmark] = {
    row.name: row
    for row in (
        *_clip4clip(),
        _drl(),
        _clip2video(),
        _x_pool("msrvtt", 3e-5, 0.3, "X-Pool-B/32, 9k"),
        _x_pool("msrvtt-7k", 1e-5, 0.4, "X-Pool-B/32, 7k"),
        _x_pool("lsmdc", 1e-5, 0.3, "X-Pool-B/32"),
        _center_clip(),
        _x_clip("b32", 8, "released"),
        _x_clip("b16", 8, "recognition"),
        _x_clip("b16", 16, "recognition"),
        _x_clip("l14", 8, "released"),
        _actionclip(
            *("b32", 64, "configs/k400/k400_ft_tem.yaml (a06b48d)"),
            "training takes the middle frame of each segment; here a random one",
        ),
        _actionclip("b16", 128, "configs/k400/k400_train.yaml (377e5ad)"),
        *_st_adapter(),
        *_aim(),
        _evl("ViT-B-16", "b16"),
        _evl("ViT-L-14", "l14"),
        *_efficient_prompt(),
        _timesformer("kinetics", "timesformer", "Kinetics/TimeSformer_divST_8x32_224.yaml (23e78bf)"),
        _timesformer("something", "timesformer-something", "SSv2/TimeSformer_divST_8_224.yaml (e17a697)"),
        *_motionformer(),
        _frozen_in_time(),
        *_mug_stan(),
    )
}
