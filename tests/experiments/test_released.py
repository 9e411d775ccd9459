"""The rivals' released rows: their settings are the sources', their numbers are printed, and each can be built."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stan.config import from_dict, to_dict, with_parts
from stan.data import label_sets
from stan.data.datasets import SETS, task
from stan.experiments import published
from stan.experiments.recipes import RECIPES, recipe
from stan.experiments.released import RELEASED, STUDY
from stan.models.dual_encoder import build
from stan.models.temporal import METHODS
from stan.training.checks import check
from stan.training.optim import freeze
from tests.support.full_size import steps

NOT_PRINTED = {
    *("clip4clip-meanp-msrvtt", "clip4clip-tighttransf-msrvtt", "aim-something", "efficient_prompt-hmdb51"),
    *(
        "actionclip_tsm-kinetics-b32-8",
        "open_vclip-kinetics-b32-8",
        "language_bind-vidal-l14",
        "viclip-internvid-b16",
    ),
    *(name for name in RELEASED if name.startswith(("mug_stan", "clip_vip"))),
}


@pytest.mark.parametrize("name", RELEASED)
def test_every_row_is_a_config_that_can_be_trained_and_built(name):
    row = recipe(name)
    one = row.experiment
    assert (row.name, one.study, row.settings) == (name, STUDY, "released") and one.data.suite in SETS
    assert from_dict(to_dict(one)) == one
    assert row.source and row.differs
    check(one)
    with torch.device("meta"):
        model = build(replace(one.model, pretrained="random"), one.data.frames)
        found = model.encoder(torch.empty(1, one.data.frames, 3, 224, 224))
    assert found.video.shape == (1, model.embedding_width)
    width, patches = {"32": (768, 49), "16": (768, 196), "14": (1024, 256)}[one.model.backbone[-2:]]
    assert (model.clip.width, model.clip.patches) == (width, patches)
    assert (one.model.similarity == "linear_classifier") == bool(one.model.similarity_options.get("classes"))


@pytest.mark.parametrize("name", RELEASED)
def test_printed_numbers_stand_with_their_row(name):
    printed = {item["metric"]: item for item in recipe(name).printed}
    assert (not printed) == (name in NOT_PRINTED)
    if printed:
        headline = "R@1" if task(recipe(name).experiment.data.suite) == "retrieval" else "top-1"
        assert 0 < printed[headline]["value"] < 100 and printed[headline]["source"]


@pytest.mark.parametrize(
    ("name", "metric", "value", "source"),
    [
        ("clip4clip-seqtransf-msrvtt", "R@1", 44.5, "talk slides, retrieval tables"),
        ("drl-msrvtt", "R@5", 73.4, "foolwood/DRL README"),
        ("x_clip-kinetics-b16-16", "top-1", 84.7, "talk slides, recognition tables"),
        ("x_clip-kinetics-b32-8", "top-5", 95.0, "microsoft/VideoX X-CLIP/README"),
        ("vifi_clip-kinetics-b16-16", "top-5", 96.3, "muzairkhattak/ViFi-CLIP README"),
        ("vtn-kinetics", "top-1", 78.6, "talk slides, recognition tables"),
        ("vivit-kinetics", "top-1", 79.9, "google-research/scenic projects/vivit README"),
        ("vivit_fe-kinetics", "top-1", 78.4, "google-research/scenic projects/vivit README"),
        ("st_adapter-something", "top-1", 66.9, "linziyi96/st-adapter README"),
        ("efficient_prompt-kinetics", "top-1", 76.9, "talk slides, recognition tables"),
    ],
)
def test_a_number_by_name(name, metric, value, source):
    item = next(item for item in recipe(name).printed if item["metric"] == metric)
    assert (item["value"], item["source"]) == (value, source)


def test_every_released_number_is_of_a_row():
    places = {(row.table, row.benchmark, row.row) for row in RELEASED.values()}
    assert {(i["table"], i["benchmark"], i["row"]) for i in published.released()} <= places


def test_rows_differ_in_what_they_train_or_test_also_from_the_papers():
    assert len({row.experiment.hash for row in RECIPES.values()}) == len(RECIPES)


SETTINGS = {
    # name: frozen, epochs, batch, rate of new parameters, CLIP's, decay, warm-up in epochs, augmentation
    "clip4clip-meanp-msrvtt": ("nothing", 5, 128, 1e-4, 1e-7, 0.2, 0.5, "none"),
    "drl-msrvtt": ("nothing", 5, 128, 1e-4, 1e-7, 0.2, 0.5, "none"),
    "x_pool-msrvtt": ("nothing", 5, 32, 3e-5, 1e-6, 0.2, 0.5, "x_pool"),
    "x_pool-lsmdc": ("nothing", 5, 32, 1e-5, 1e-6, 0.2, 0.5, "x_pool"),
    "center_clip-msrvtt-7k": ("nothing", 5, 128, 5e-3, 5e-6, 0.2, 0.5, "none"),
    "x_clip-kinetics-b16-8": ("text", 30, 256, 8e-5, 8e-6, 1e-3, 5, "x_clip"),
    "vifi_clip-kinetics-b16-16": ("nothing", 30, 512, 2.2e-5, 2.2e-5, 1e-3, 5, "vifi_clip"),
    "actionclip-kinetics-b32-8": ("nothing", 50, 64, 5e-5, 5e-6, 0.2, 5, "actionclip"),
    "actionclip-kinetics-b16-8": ("nothing", 50, 128, 5e-5, 5e-6, 0.2, 5, "actionclip"),
    "actionclip_tsm-kinetics-b32-8": ("nothing", 50, 64, 5e-5, 5e-6, 0.2, 5, "actionclip"),
    "bike-kinetics-b16-8": ("text", 30, 256, 5e-5, 5e-6, 0.2, 5, "bike"),
    "text4vis-kinetics-b16-8": ("text", 30, 256, 5e-5, 5e-6, 0.2, 5, "text4vis"),
    "st_adapter-kinetics": ("clip", 12, 192, 7.5e-4, None, 1e-2, 2, "st_adapter"),
    "st_adapter-something": ("clip", 50, 256, 1e-3, None, 1e-2, 2, "st_adapter-something"),
    "evl-kinetics-b16-8": ("clip", 53, 256, 4e-4, None, 0.05, 0, "evl"),
    "evl-kinetics-l14-8": ("clip", 53, 256, 4e-4, None, 0.05, 0, "evl"),
    "uniformer_v2-kinetics": ("nothing", 55, 256, 1e-5, 1e-5, 0.05, 5, "uniformer_v2"),
    "uniformer_v2-something": ("nothing", 22, 256, 4e-4, 4e-4, 0.05, 5, "uniformer_v2-something"),
    "aim-kinetics": ("clip", 30, 64, 3e-4, None, 0.05, 2.5, "crop+flip"),
    "aim-something": ("clip", 50, 64, 3e-4, None, 0.05, 2.5, "aim-something"),
    "efficient_prompt-hmdb51": ("clip", 20, 64, 1e-4, None, 0.01, 0, "none"),
    "motionformer-something": ("nothing", 35, 128, 1e-4, 1e-4, 0.05, 0, "motionformer-something"),
    "open_vclip-kinetics-b32-8": ("text", 22, 64, 3.33e-6, 3.33e-6, 0.01, 2, "open_vclip"),
    "timesformer-something": ("nothing", 15, 8, 5e-3, 5e-3, 1e-4, 0, "timesformer-something"),
    "vtn-kinetics": ("nothing", 25, 16, 1e-3, 1e-3, 1e-4, 0, "timesformer"),
    "vivit-kinetics": ("nothing", 30, 64, 0.1, 0.1, 0, 2.5, "vivit"),
    "vivit_fe-kinetics": ("nothing", 30, 64, 0.05, 0.05, 0, 2.5, "vivit"),
    "clip_vip-msrvtt-b32": ("nothing", 100, 128, 1e-6, 1e-6, 0.2, 1, "clip_vip"),
    "clip_vip-msrvtt-b16": ("nothing", 100, 128, 1e-6, 1e-6, 0.2, 1, "clip_vip"),
    "language_bind-vidal-l14": ("text", 6, 1024, 1e-4, 1e-4, 0.2, 6 * 2000 / 59_040, "language_bind"),
    "viclip-internvid-b16": ("text", 10, 4096, 2e-4, 2e-4, 0.2, 0.5, "viclip"),
    "frozen_in_time-msrvtt": ("nothing", 100, 16, 3e-5, 3e-5, 0, 0, "frozen_in_time"),
    "mug_stan-msrvtt-b32": ("nothing", 100, 128, 2e-5, 2e-6, 0.02, 10, "crop"),
    "mug_stan-lsmdc-b32": ("nothing", 100, 128, 1e-5, 2e-6, 0.1, 5, "crop"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_those_of_the_source(name):
    frozen, epochs, batch, new, of_clip, decay, warmup, augmentation = SETTINGS[name]
    one = recipe(name).experiment
    train = one.train
    assert (train.frozen, train.epochs, train.batch, train.weight_decay) == (frozen, epochs, batch, decay)
    assert train.lr == pytest.approx(new) and one.data.augmentation == augmentation
    assert of_clip is None or train.lr * train.clip_lr_ratio == pytest.approx(of_clip)
    assert train.warmup * train.epochs == pytest.approx(warmup)


def test_targets_losses_and_scales_are_those_of_the_sources():
    train = {name: row.experiment.train for name, row in RELEASED.items()}
    soft = {name: (t.label_smoothing, t.mixup, t.cutmix) for name, t in train.items() if t.label_smoothing}
    x_clip = {name: (0.1, 0.8, 1.0) for name in train if name.startswith(("x_clip", "vifi_clip"))}
    motionformer = {name: (0.2, 0.0, 0.0) for name in train if name.startswith("motionformer")}
    assert soft == x_clip | motionformer | {"aim-something": (0.1, 0.0, 0.0)}
    learned = {name.partition("-")[0] for name, t in train.items() if t.learned_scale}
    of_retrieval = {"clip4clip", "drl", "clip2video", "x_pool", "center_clip", "clip_vip"}
    of_pretraining = {"language_bind", "viclip"}
    assert learned == of_retrieval | of_pretraining | {
        *("actionclip", "actionclip_tsm", "bike", "open_vclip", "text4vis", "vifi_clip")
    }
    assert {name.partition("-")[0] for name, t in train.items() if t.optimizer == "sgd"} == {
        *("timesformer", "vtn", "vivit", "vivit_fe")
    }


def test_rows_differ_in_loss_schedule_and_gradients_as_their_sources_do():
    train = {name: row.experiment.train for name, row in RELEASED.items()}
    found = {name: (t.loss, t.schedule, t.clip_gradient, t.temperature) for name, t in train.items()}
    expected = {
        "vifi_clip-kinetics-b16-16": ("cross-entropy", "cosine", 0, 0.01),
        "text4vis-kinetics-b16-8": ("cross-entropy", "cosine", 0, 0.01),
        "clip_vip-msrvtt-b32": ("cross-entropy", "cosine", 1, 0.01),
        "language_bind-vidal-l14": ("contrastive-mean", "cosine", 0, 0.07),
        "viclip-internvid-b16": ("contrastive-mean", "cosine", 0, 0.01),
        "vtn-kinetics": ("cross-entropy", "steps", 0, 0.01),
        "vivit_fe-kinetics": ("cross-entropy", "cosine", 1, 0.01),
    }
    assert {name: found[name] for name in expected} == expected


def test_every_temporal_method_with_a_released_recipe_has_a_row():
    """All but those whose source has no config for them, or none for a video and a text apart."""
    without = {
        "actionclip_shift",  # a choice of ActionCLIP's code that no Kinetics config makes
        "token_learner",  # its source has a config for pictures only
        "token_roll",  # its source scores a video and a text together
    }
    assert {row.experiment.model.temporal for row in RELEASED.values()} == METHODS.keys() - without


def test_open_vclip_tests_the_mean_over_epochs_2_to_22():
    averaged = {name: row.experiment.train for name, row in RELEASED.items()}
    averaged = {name: (t.averaged_from, t.epochs) for name, t in averaged.items() if t.averaged_from}
    assert averaged == {"open_vclip-kinetics-b32-8": (2, 22)}


def test_classifiers_have_their_sets_classes():
    classifiers = [
        row.experiment for row in RELEASED.values() if row.experiment.model.similarity == "linear_classifier"
    ]
    found = {(one.data.suite, one.model.similarity_options["classes"]) for one in classifiers}
    assert found == {("kinetics", 400), ("something", 174)}
    assert [
        label_sets.count(suite) for suite in ("motions", "hmdb51", "ucf101-2", "msrvtt", "retrieval")
    ] == [*(19, 51, 101, 0, 0)]


def test_x_clip_trains_all_but_the_text_tower():
    one = recipe("x_clip-kinetics-b32-8").experiment
    with torch.device("meta"):
        model = build(replace(one.model, backbone="tiny", pretrained="random"), one.data.frames)
    freeze(model, one.train)
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {n for n, _ in model.named_parameters() if ".clip.text." in n} | {
        "encoder.clip.logit_scale"
    }


PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "released_recipes.md"
PLACE = "(<!-- table of released recipes -->\n).*(<!-- end of table -->)"


def table() -> str:
    columns = (
        "recipe | frames | frozen | epochs | batch | lr | CLIP's lr | decay | augmentation | views | printed"
    )
    lines = [f"| {columns} |", f"|{'---|' * (columns.count('|') + 1)}"]
    for row in RELEASED.values():
        data, train = row.experiment.data, row.experiment.train
        of_clip = "-" if train.frozen == "clip" else f"{train.lr * train.clip_lr_ratio:.2g}"
        first = next((i for i in row.printed if i["metric"] in ("R@1", "top-1")), None)
        cells = [
            *(
                f"`{row.name}`",
                data.frames,
                train.frozen,
                train.epochs,
                train.batch,
                f"{train.lr:.2g}",
                of_clip,
            ),
            *(f"{train.weight_decay:g}", data.augmentation, *(row.experiment.test_time or ["-"])),
            "" if first is None else f"{first['metric']} {first['value']:g}",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    return re.sub(PLACE, lambda found: found[1] + table() + found[2], text, flags=re.S)


def test_the_page_has_the_rows():
    """`python -m tests.experiments.test_released` writes the table anew."""
    assert with_table(PAGE.read_text()) == PAGE.read_text() and "`drl-msrvtt`" in PAGE.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", RELEASED)
def test_a_row_trains_and_tests_on_the_tiny_clip(name, tmp_path):
    one = recipe(name).experiment
    options = one.model.options | dict.fromkeys(one.model.options.keys() & {"clusters", "block"})
    if options.get("layers", 0) > 6:  # more than the tiny CLIP has blocks
        options["layers"] = 4
    one = with_parts(one, data={"frames": 6}, model={"backbone": "tiny", "options": options})
    found = steps(one, tmp_path)
    # what lies before a layer that starts at zero moves in the second step; a classifier leaves the text tower
    assert found["moved"] > 0.5 and found["metrics"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["clip4clip-seqtransf-msrvtt", "x_clip-kinetics-b32-8", "efficient_prompt-hmdb51"]
)
def test_a_row_trains_and_tests_at_full_size(name, tmp_path):
    """All rows: `python -m tests.stress.full_size_steps`."""
    found = steps(recipe(name).experiment, tmp_path)
    assert found["moved"] > 0.9 and found["metrics"]


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
