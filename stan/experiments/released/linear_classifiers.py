"""Offers the released rows that recognise a video by a linear classifier, whose classes are weights.

Rows that compare videos with the texts of classes stand in `text_classifiers`.
"""

from __future__ import annotations

from dataclasses import replace

from stan.config import ModelConfig, TrainConfig
from stan.experiments.paper_rows import Benchmark
from stan.experiments.released.rows import (
    ALL_DECAY,
    HALF,
    TESTED_IN_SOFTMAX,
    THREE_CLIPS,
    classes,
    classifier,
    embedding_classifier,
    row,
    segments,
)

_DROPOUT = "half of what the classifier reads is dropped in training; here nothing"
_RAND_AUGMENT = (
    "RandAugment comes before the crop, in timm's strengths, each with noise; here in torchvision's"
)
_IMAGENET = "the image tower is a ViT of ImageNet; here CLIP's"

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
        TESTED_IN_SOFTMAX,
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
            differs=(*shared, segments(16), THREE_CLIPS),
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
            TESTED_IN_SOFTMAX,
            segments(16),
            THREE_CLIPS,
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
        TESTED_IN_SOFTMAX,
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
            differs=(*shared, segments(16), THREE_CLIPS),
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
            ALL_DECAY,
            "whether momentum is Nesterov's is not in the config; here it is not",
            *((segments(32),) if suite == "kinetics" else ()),
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
        ALL_DECAY,
        "a tanh layer stands before the classifier; here none",
        "the rate falls after 20 and 30 epochs; here after 26 and 33",
    )
    own = {
        "kinetics": (
            "timesformer",
            (
                segments(4),
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


_NARROW = "frames' embeddings have 768 channels; here CLIP's 512"


def _vtn() -> Benchmark:
    return row(
        "vtn-kinetics",
        classes("kinetics", "timesformer", 16),
        embedding_classifier("ViT-B-16", "vtn", "kinetics"),
        replace(_TIMESFORMER, epochs=25, batch=16, lr=1e-3),
        "facebookresearch/SlowFast configs/Kinetics/VIT_B_VTN.yaml and slowfast/config/defaults.py (d85ca86)",
        ("recognition", "VTN-ViT-B, 250 frames, 1x1 views"),
        differs=(
            _IMAGENET,
            _NARROW,
            ALL_DECAY,
            _DROPOUT,
            "momentum is Nesterov's; here it is not",
            segments(8),
            "a tenth of what the Longformer reads and of its attention is dropped in training; here nothing",
            "all frames up to 250 are tested; here as many as training",
            "the rate falls after 13 and 24 epochs; here after 18 and 23",
            "frames are normalised by .45 and .225; here by CLIP's mean and std",
        ),
    )


_VIVIT = replace(
    _TIMESFORMER,
    epochs=30,
    batch=64,
    lr=5e-2,
    weight_decay=0.0,
    schedule="cosine",
    warmup=2.5 / 30,
    clip_gradient=1.0,
)


def _vivit() -> list[Benchmark]:
    kinds: dict[str, tuple[ModelConfig, float, str, str, tuple[str, ...]]] = {
        "vivit": (
            classifier("ViT-B-16", "joint_space_time", "kinetics", one_cls=True, time_by_place=True),
            1e-1,
            "vivit_base_k400.py (03c3032)",
            "ViViT-B/16x2, 32 frames, 4x3 views",
            (),
        ),
        "vivit_fe": (
            embedding_classifier("ViT-B-16", "factorised_encoder", "kinetics", released=True),
            5e-2,
            "vivit_base_factorised_encoder.py (0cce82d)",
            "ViViT-B/16x2 FE, 32 frames, 4x3 views",
            (_NARROW,),
        ),
    }
    return [
        row(
            f"{name}-kinetics",
            classes("kinetics", "vivit", 16),
            model,
            replace(_VIVIT, lr=lr),
            f"google-research/scenic projects/vivit/configs/kinetics400/{file}, projects/vivit/data/ (0cce82d),"
            " train_lib/lr_schedules.py (00091de) and dataset_lib/video_ops.py (047969c)",
            ("released", label),
            ("views-4x3",),
            differs=(
                _IMAGENET,
                *differs,
                "32 frames are 16 tubelets; here 16 frames",
                segments(2),
                "height and width are scaled apart before the crop; here together",
                "colours are moved in four fifths of the clips, and a tenth is gray; here they stay",
                "frames are scaled to -1 to 1; here normalised by CLIP's mean and std",
            ),
        )
        for name, (model, lr, file, label, differs) in kinds.items()
    ]


_UNIFORMER_V2 = TrainConfig(
    "nothing",
    epochs=55,
    batch=256,
    lr=1e-5,
    clip_lr_ratio=1.0,
    beta2=0.999,
    weight_decay=0.05,
    warmup=5 / 55,
    clip_gradient=20.0,
    temperature=0.01,
    precision="bf16-mixed",
)


def _uniformer_v2() -> list[Benchmark]:
    shared = (
        HALF,
        _DROPOUT,
        TESTED_IN_SOFTMAX,
        _RAND_AUGMENT,
        "frames are normalised by .45 and .225; here by CLIP's mean and std",
        "run.sh overrides config.yaml, and only copies of it were read: the batch is config.yaml's, and clipping is"
        " MMAction2's",
    )
    source = "OpenGVLab/UniFormerV2 exp/{0}/config.yaml (ea60a26) and run.sh, as copied in {1}"
    return [
        row(
            "uniformer_v2-kinetics",
            classes("kinetics", "uniformer_v2"),
            classifier("ViT-B-16", "uniformer_v2", "kinetics", dropout=0.5),
            _UNIFORMER_V2,
            source.format("k400/k400_b16_f8x224", "AmmaraRazzaq/uniformerv2 (1074cd4); MMAction2's port"),
            ("released", "UniFormerV2-B/16, 8 frames, 3x4 views"),
            ("views-4x3",),
            unstated=("batch", "clip_gradient"),
            differs=(*shared, "the rate starts and ends at 1e-6, not 0"),
        ),
        row(
            "uniformer_v2-something",
            classes("something", "uniformer_v2-something"),
            classifier(
                *("ViT-B-16", "uniformer_v2", "something"),
                layers=8,
                convolutions=2,
                dropout=0.5,
                drop_path=0.4,
                block_drop_path=0.2,
            ),
            replace(_UNIFORMER_V2, epochs=22, lr=4e-4, warmup=5 / 22),
            source.format("sthv2/ssv2_b16_f16x224", "DonghwanKIM0101/UniFormerV2 (2e8c9d8)"),
            ("released", "UniFormerV2-B/16, 16 frames, 3x1 views"),
            ("views-1x3",),
            unstated=("batch", "lr", "clip_gradient"),
            differs=(
                *shared,
                "16 frames are 8 tubelets, each of which also reads the frame before; here 8 frames",
                "each clip is augmented twice in a batch; here once",
                "a block is dropped for all videos of a batch at once; here it is drawn for each",
                "the rate is config.yaml's, and that of the copied run.sh is 4e-5 at a batch of 16",
            ),
        ),
    ]


LINEAR_CLASSIFIERS: tuple[Benchmark, ...] = (
    *_st_adapter(),
    *_aim(),
    _evl("ViT-B-16", "b16"),
    _evl("ViT-L-14", "l14"),
    _timesformer("kinetics", "timesformer", "Kinetics/TimeSformer_divST_8x32_224.yaml (23e78bf)"),
    _timesformer("something", "timesformer-something", "SSv2/TimeSformer_divST_8_224.yaml (e17a697)"),
    *_motionformer(),
    _vtn(),
    *_vivit(),
    *_uniformer_v2(),
)
