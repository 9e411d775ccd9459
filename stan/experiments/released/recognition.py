"""Offers recognition's released rows: what a source trains with, what it leaves open, what an experiment can't say."""

from __future__ import annotations

from dataclasses import replace

from stan.config import TrainConfig
from stan.experiments.paper_rows import Benchmark
from stan.experiments.released.rows import HALF, TRAINING, classes, classifier, cosine, row, scored

_DROPOUT = "half of what the classifier reads is dropped in training; here nothing"
_THREE_CLIPS = "three clips of one crop are tested; here one clip of three crops"
_TESTED_IN_SOFTMAX = "views are averaged as probabilities; here as logits"
_RAND_AUGMENT = (
    "RandAugment comes before the crop, in timm's strengths, each with noise; here in torchvision's"
)
_PER_FRAME = "colours are drawn anew for every frame; here once for a clip"
_ALL_DECAY = "biases and norms decay, too; here only matrices"
_IMAGENET = "the image tower is a ViT of ImageNet; here CLIP's"


def _segments(apart: int) -> str:
    return f"frames lie {apart} apart from a random start on; here one in each segment of the video"


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
            _TESTED_IN_SOFTMAX,
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
    return row(
        f"actionclip-kinetics-{backbone}-8",
        replace(classes("kinetics", "actionclip"), **worded),
        cosine(names[backbone], "actionclip", eps=1e-12, activation="quick_gelu"),
        replace(_ACTIONCLIP, batch=batch),
        f"sallymmx/ActionCLIP {file}, train.py, utils/ and README",
        ("released", f"ActionCLIP-B/{backbone[1:]}, 8 frames, 1x1 views"),
        differs=(
            HALF,
            _PER_FRAME,
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
        HALF,
        _DROPOUT,
        _TESTED_IN_SOFTMAX,
        "weights of all shapes decay, but no biases; here only matrices",
        "one more adapter, before the last MLP, changes what the classifier doesn't read; here there is none",
    )
    adapters = {"width": 384, "norm_after_mean": True}
    source = "linziyi96/st-adapter scripts/train_{}.sh and main.py (bded03c)"
    return [
        row(
            "st_adapter-kinetics",
            classes("kinetics", "st_adapter"),
            classifier("ViT-B-16", "st_adapter", "kinetics", before="mlp", **adapters),
            _ADAPTER,
            source.format("k400_clip_vit_b16_adapter12x384"),
            ("released", "ST-Adapter-B/16 12x384, 8 frames, 3x1 views"),
            ("views-1x3",),
            differs=(*shared, _segments(16), _THREE_CLIPS),
        ),
        row(
            "st_adapter-something",
            classes("something", "st_adapter-something"),
            classifier("ViT-B-16", "st_adapter", "something", before="attention and mlp", **adapters),
            replace(_ADAPTER, epochs=50, batch=256, lr=1e-3, warmup=2 / 50),
            source.format("ssv2_clip_vit_b16_adapter24x384"),
            ("released", "ST-Adapter-B/16 24x384, 8 frames, 1x3 views"),
            ("views-1x3",),
            differs=(*shared, _RAND_AUGMENT),
        ),
    ]


_EVL = replace(_ADAPTER, epochs=53, batch=256, lr=4e-4, clip_lr_ratio=1.0, weight_decay=0.05, warmup=0.0)
"""EVL's: 50,000 steps."""


def _evl(backbone: str, size: str) -> Benchmark:
    return row(
        f"evl-kinetics-{size}-8",
        classes("kinetics", "evl"),
        classifier(backbone, "evl", "kinetics", dropout=0.5),
        _EVL,
        f"OpenGVLab/efficient-video-recognition scripts/train_k400_vit{size}_8f_dec4x*.sh and main.py (a6774ec)",
        ("released", f"EVL-{size[0].upper()}/{size[1:]}, 8 frames, 3x1 views"),
        ("views-1x3",),
        differs=(
            HALF,
            _DROPOUT,
            _TESTED_IN_SOFTMAX,
            _segments(16),
            _THREE_CLIPS,
            "it trains 50,000 steps, which are 53 epochs of 240,000 clips",
            "tensors of all shapes decay; here only matrices",
            _RAND_AUGMENT,
        ),
    )


_AIM = replace(_EVL, epochs=30, batch=64, lr=3e-4, warmup=2.5 / 30)


def _aim() -> list[Benchmark]:
    shared = (
        HALF,
        _DROPOUT,
        _TESTED_IN_SOFTMAX,
        "biases decay, too; here only matrices",
        "a token's path is dropped for all clips of a batch at once; here it is drawn for each clip",
    )
    adapters = {"time_before_norm": True, "drop_path": 0.2, "trained_norm": True}
    read = "adapt-image-models configs/recognition/vit/vitclip_base_{} and README, as copied in {}"
    return [
        row(
            "aim-kinetics",
            classes("kinetics", "crop+flip"),
            classifier("ViT-B-16", "aim", "kinetics", **adapters),
            _AIM,
            read.format("k400.py", "lhxxxmad/AIM (16ee41c)"),
            ("released", "AIM-B/16, 8 frames, 3x1 views"),
            ("views-1x3",),
            differs=(*shared, _segments(16), _THREE_CLIPS),
        ),
        row(
            "aim-something",
            classes("something", "aim-something"),
            classifier("ViT-B-16", "aim", "something", adapted_input=True, scale=1.0, **adapters),
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
    model = cosine("ViT-B-16", "efficient_prompting", prefix=16, suffix=16, layers=1, heads=8, table=True)
    source = "ju-chen/Efficient-Prompt README (e9a8961) and src/ (93852c4)"
    shared = (_ALL_DECAY, "testing averages five draws of frames; here one")
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
    return row(
        f"timesformer-{suite}",
        classes(suite, augmentation),
        classifier("ViT-B-16", "divided_space_time", suite, one_cls=True, drop_path=0.1),
        _TIMESFORMER,
        f"facebookresearch/TimeSformer configs/{file} and README",
        ("released", "TimeSformer, 8 frames, 1x3 views"),
        ("views-1x3",),
        unstated=("clip_gradient",),
        differs=(
            _IMAGENET,
            _ALL_DECAY,
            "whether momentum is Nesterov's is not in the config; here it is not",
            *((_segments(32),) if suite == "kinetics" else ()),
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
        _IMAGENET,
        "16 frames are 8 tubelets; here 8 frames",
        _ALL_DECAY,
        "a tanh layer stands before the classifier; here none",
        "the rate falls after 20 and 30 epochs; here after 26 and 33",
    )
    own = {
        "kinetics": (
            "timesformer",
            (
                _segments(4),
                "ten clips of three crops are tested; here one clip",
                "colours are moved; here they stay",
            ),
        ),
        "something": ("motionformer-something", ("training goes on from Kinetics' weights", _RAND_AUGMENT)),
    }
    return [
        row(
            f"motionformer-{suite}",
            classes(suite, augmentation),
            classifier("ViT-B-16", "trajectory_attention", suite, one_cls=True, drop_path=0.2),
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
            _segments(16),
            _THREE_CLIPS,
            "weights of epochs 2 to 22 are averaged, then mixed half and half with CLIP's; here the best epoch's count,"
            " and stan export --clip-share 0.5 mixes them",
            "classes of other sets are tested, which it wasn't trained on; here Kinetics' own",
            "each class is the mean of 28 sentences; here the name alone",
            "cosines are averaged over frames; here directions, made as long as one again",
            "the rate starts and ends at 3.33e-8, not 0",
            "the logit scale decays and has no upper limit; here it doesn't and has 100",
        ),
    )


RECOGNITION: tuple[Benchmark, ...] = (
    _x_clip("b32", 8, "released"),
    _x_clip("b16", 8, "recognition"),
    _x_clip("b16", 16, "recognition"),
    _x_clip("l14", 8, "released"),
    _actionclip(
        "b32",
        64,
        "configs/k400/k400_ft_tem.yaml (a06b48d)",
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
    _open_vclip(),
)
