"""Offers every study's rows: what each varies, what testing adds, and which printed rows belong beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from stan.experiments import published

Options = tuple[tuple[str, Any], ...]
Printed = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Row:
    """One row of a study: a temporal method, a similarity, and what differs from the suite's setting."""

    name: str
    temporal: str
    options: Options = ()
    at_depth: Callable[[int], dict[str, Any]] | None = None
    """More options, which depend on how many blocks CLIP has."""
    similarity: str = "cosine"
    templates: str = "plain"
    """Sentence templates around the names of classes."""
    data: Options = ()
    train: Options = ()
    """What this row varies in data (`data`) and recipe (`train`); the latter may also be what the method's own loss
    needs."""
    task: str | None = None
    """The only task that has this row; None: both have it."""
    testing: tuple[str, ...] = ()
    """Test-time tricks; only those that suit the task are used. If none of them suits it, the task has no such row."""
    rate_of: str | None = None
    """Name of the row whose learning rate this row takes, because both train the same; None: its own name."""
    printed: Printed = ()
    """(table, row) of the paper's numbers beside this row; several if the benchmarks are in different places."""
    tower: str | None = None
    """Which of the suite's CLIPs it is built on, by family; None: the one that all other studies are built on."""

    def tricks(self, task: str) -> tuple[str, ...]:
        """Return the row's tricks that suit the task: views suit recognition, all other tricks suit retrieval."""
        return tuple(trick for trick in self.testing if trick.startswith("views") == (task == "recognition"))

    def serves(self, task: str) -> bool:
        """Tell whether the row belongs to the task."""
        return self.task in (None, task) and (not self.testing or bool(self.tricks(task)))

    def paper(self, suite: str) -> float | None:
        """Return the printed number, in percent, for the benchmark that the suite is or mirrors, or None."""
        column = published.COLUMN_OF_SUITE.get(suite)
        return None if column is None else self.number(column)

    def number(self, column: str) -> float | None:
        """Return the printed number, in percent, for a column (a value of `published.COLUMN_OF_SUITE`), or None."""
        found = [published.number(table, row, column) for table, row in self.printed]
        return next((value for value in found if value is not None), None)


@dataclass(frozen=True)
class Study:
    """Rows that are trained and read together; changes are relative to the row `baseline`."""

    name: str
    title: str
    rows: tuple[Row, ...]
    baseline: str


_STAN = {"cross_frame": "attention", "intra_frame": True, "branch": True, "multi_level": True}
_PRINTED_TRICKS = ("dsl", "views-1x3")
"""The tricks that the paper's row with testing techniques adds."""


def _component(row: str) -> Printed:
    return (("ablation_components", row),)


def _structure(row: str) -> Printed:
    return (("ablation_structures", row),)


def _stan(name: str, printed: Printed = (), **changed: Any) -> Row:
    return Row(name, "stan", tuple((_STAN | changed).items()), printed=printed)


_BASELINE = Row("baseline", "mean", printed=_component("baseline"))
_FULL_STAN = _stan("stan", _component("stan"))

_COMPONENTS = (
    _BASELINE,
    _stan("posterior", _component("posterior"), branch=False, multi_level=False),
    _stan("branch", _component("branch"), multi_level=False),
    _stan("no-cross-frame", _component("no-cross-frame"), cross_frame="none"),
    _stan("no-intra-frame", _component("no-intra-frame"), intra_frame=False),
    _FULL_STAN,
    replace(
        _FULL_STAN,
        name="stan+testing",
        testing=_PRINTED_TRICKS,
        rate_of="stan",
        printed=_component("stan+testing"),
    ),
)

_METHODS = (
    replace(
        _BASELINE,
        name="mean",
        rate_of="baseline",
        printed=_structure("baseline (mean pooling)") + _component("baseline"),
    ),
    Row("sequence_transformer", "sequence_transformer", printed=_structure("SeqTrans (CLIP4Clip)")),
    replace(_COMPONENTS[1], name="stan-posterior", rate_of="posterior"),
    replace(_FULL_STAN, printed=_structure("STAN") + _component("stan")),
)
"""The paper compares structures on MSR-VTT and Kinetics-400; of three the components table has further numbers."""

_LOCAL = Row("uniformer_v2-local", "uniformer_v2", (("convolutions", 2),))

_INSIDE = (
    Row("message_token", "x_clip", (("layers", 0),), printed=_structure("Msg-Token (X-CLIP)")),
    Row("x_clip", "x_clip"),
    Row("x_clip+video_prompts", "x_clip", similarity="video_prompts"),
    Row("st_adapter", "st_adapter", printed=_structure("ST-Adapter")),
    Row("st_adapter-both", "st_adapter", (("before", "attention and mlp"),)),
    Row("aim", "aim"),
    Row("center_clip", "center_clip"),
    Row("divided_space_time", "divided_space_time"),
    Row("joint_space_time", "joint_space_time"),
    Row("frozen_in_time", "frozen_in_time"),
    Row("trajectory_attention", "trajectory_attention"),
    Row("clip_vip", "clip_vip"),
    Row("neighbour_attention", "neighbour_attention"),
    Row("token_roll", "token_roll"),
    Row("token_learner", "token_learner"),
    Row("temporal_shift", "temporal_shift"),
)
"""Methods that work inside CLIP's blocks."""

_STRUCTURES = (
    *_METHODS[:2],
    Row("temporal_difference", "temporal_difference", printed=_structure("TDB (CLIP2Video)")),
    Row("temporal_alignment", "temporal_difference", similarity="temporal_alignment"),
    Row("tight_transformer", "mean", similarity="tight_transformer"),
    Row("text_conditioned_pooling", "mean", similarity="text_conditioned_pooling"),
    Row("concept_spotting", "actionclip", similarity="concept_spotting"),
    Row("token_interaction", "sequence_transformer", similarity="token_interaction"),
    Row(
        "token_interaction+decorrelation",
        "sequence_transformer",
        similarity="token_interaction",
        train=(("decorrelation", 1.1e-4),),
    ),
    Row("actionclip", "actionclip"),
    Row("actionclip_shift", "actionclip_shift"),
    Row("actionclip+own-loss", "actionclip", templates="actionclip", train=(("loss", "kl"),)),
    Row("efficient_prompting", "efficient_prompting"),
    Row("factorised_encoder", "factorised_encoder"),
    Row("vtn", "vtn"),
    *_INSIDE,
    Row("evl", "evl"),
    Row("uniformer_v2", "uniformer_v2"),
    _LOCAL,
    *_METHODS[2:],
    replace(_stan("stan+mug_simple"), similarity="mug_simple"),
    replace(_stan("stan+mug_full"), similarity="mug_full"),
)
"""CLIP4Clip, CLIP2Video (TDB; TDB and TAB), X-Pool, BIKE, DRL, ActionCLIP, A6, ViViT, the methods inside CLIP, EVL,
UniFormerV2, STAN and Mug-STAN, all under the same recipe. Rows with a + also have what their source adds to the
method."""


def _local(name: str, **changed: Any) -> Row:
    return replace(_LOCAL, name=name, options=tuple((dict(_LOCAL.options) | changed).items()))


_CONVOLUTIONS = (
    _LOCAL,
    Row("no-convolutions", "uniformer_v2", rate_of="uniformer_v2"),
    _local("one-convolution", convolutions=1),
    _local("no-query", layers=0),
    _local("unmixed", mixed=False),
    _local("layer-norm", norm="layer"),
    _local("no-norm", norm="none"),
    next(row for row in _INSIDE if row.name == "st_adapter-both"),
)
"""UniFormerV2 with its convolutions, what is left when a part is taken away, and ST-Adapter, which has neither norm nor
query."""


def _interval(blocks_between: int) -> Row:
    """Return a STAN row with one layer per three CLIP blocks (4 of 12 in the paper), `blocks_between` blocks apart."""
    return replace(
        _stan(f"interval-{blocks_between}", (("ablation_levels", f"interval {blocks_between}"),)),
        at_depth=lambda depth: {"layers": depth // 3, "interval": blocks_between},
    )


def _third(name: str, place: int, printed: str) -> Row:
    """Return a STAN row that reads the `place`-th third (from 0) of CLIP's blocks."""
    return replace(
        _stan(name, (("ablation_levels", printed),)),
        at_depth=lambda depth: {
            "layers": depth // 3,
            "levels": list(range(place * depth // 3, (place + 1) * depth // 3)),
        },
    )


_LEVELS = (
    _interval(3),
    _interval(2),
    _interval(1),
    _third("first-third", 0, "levels 1-4"),
    _third("middle-third", 1, "levels 5-8"),
    replace(
        _interval(1), name="last-third", rate_of="interval-1", printed=(("ablation_levels", "levels 9-12"),)
    ),
    *(_stan(f"layers-{count}", layers=count, interval=1) for count in (1, 2, 3, 4, 6)),
)

_TEMPORAL = (
    replace(_COMPONENTS[3], name="none", rate_of="no-cross-frame"),
    replace(_FULL_STAN, name="attention", rate_of="stan"),
    _stan(
        "convolution-bottleneck",
        (("retrieval", "C-STA-B/32"),),
        cross_frame="convolution",
        convolution="bottleneck",
    ),
    _stan("convolution-dense", cross_frame="convolution", convolution="dense"),
)


def _of_frames(row: Row, count: int) -> Row:
    return replace(row, name=f"{row.name}-frames-{count}", data=(("frames", count),), printed=())


def _printed_of_frames(count: int) -> Row:
    """Return STAN with `count` frames and 1x3 views, with the paper's numbers.

    Of the printed rows, only those of recognition differ in frames alone, and they have three views.
    """
    names = [f"{name}-B/16, {count} frames, 1x3 views" for name in ("A-STA", "STAN-self")]
    row = _of_frames(_FULL_STAN, count)
    return replace(
        row,
        name=f"{row.name}+views-1x3",
        testing=("views-1x3",),
        rate_of=row.name,
        printed=tuple(("recognition", name) for name in names),
    )


_FRAMES = (
    *(_of_frames(row, count) for row in (_BASELINE, _FULL_STAN) for count in (1, 2, 4, 8, 16)),
    *(_printed_of_frames(count) for count in (8, 16)),
)


def _with(row: Row, trick: str) -> Row:
    printed = _component("stan+testing") if row is _FULL_STAN and trick in _PRINTED_TRICKS else ()
    return replace(row, name=f"{row.name}+{trick}", testing=(trick,), rate_of=row.name, printed=printed)


_TEST_TIME = tuple(
    tested
    for row in (_BASELINE, _FULL_STAN)
    for tested in (row, *(_with(row, t) for t in ("dsl", "qbnorm", "views-1x3", "views-4x3", "views-10x3")))
)


def _trained(name: str, row: Row, printed: Printed = (), **recipe: Any) -> Row:
    return replace(row, name=name, train=tuple(recipe.items()), printed=printed)


_RECIPE = (
    _trained("mean-vision-frozen", _BASELINE, frozen="vision"),
    _trained("mean-full", _BASELINE, frozen="nothing", clip_lr_ratio=0.1),
    _trained("mean-full+interpolated", _BASELINE, frozen="nothing", clip_lr_ratio=0.1, interpolated_loss=0.5),
    _trained("mean-full+averaged", _BASELINE, frozen="nothing", clip_lr_ratio=0.1, averaged_from=2),
    _trained("clip-frozen", _FULL_STAN, frozen="clip"),
    _trained("vision-frozen", _FULL_STAN, frozen="vision"),
    _trained("full-ratio-0.01", _FULL_STAN, frozen="nothing", clip_lr_ratio=0.01),
    _trained("full-ratio-0.1", _FULL_STAN, _component("stan"), frozen="nothing", clip_lr_ratio=0.1),
    _trained("full-ratio-1", _FULL_STAN, frozen="nothing", clip_lr_ratio=1.0),
    _trained(
        "full-ratio-0.1+interpolated",
        _FULL_STAN,
        frozen="nothing",
        clip_lr_ratio=0.1,
        interpolated_loss=0.5,
    ),
)

_LINEAR = {"similarity": "linear_classifier", "task": "recognition"}

_CLASSIFIERS = (
    replace(_BASELINE, name="mean", rate_of="baseline", printed=()),
    replace(_BASELINE, name="mean+linear", printed=(), **_LINEAR),
    replace(_FULL_STAN, printed=()),
    replace(_FULL_STAN, name="stan+linear", printed=(), **_LINEAR),
)

TOWERS = ("clip", "siglip", "eva", "pe", "mobileclip")
"""Families of CLIPs: OpenAI's, SigLIP (without a class token, pairs trained one by one), EVA-02 (rotary positions),
Perception Encoder (rotary positions, an attention pool) and MobileCLIP (a convolutional stem)."""

_BACKBONES = tuple(
    replace(row, name=f"{row.name}-{tower}", tower=tower, rate_of=None, printed=())
    for tower in TOWERS
    for row in (_METHODS[0], _METHODS[1], _FULL_STAN)
)

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        Study("components", "What each component of STAN gives", _COMPONENTS, "baseline"),
        Study("methods", "Temporal methods on one backbone and one recipe", _METHODS, "mean"),
        Study("structures", "Where time is modelled: inside, beside and after CLIP", _STRUCTURES, "mean"),
        Study("convolutions", "What UniFormerV2's convolutions inside CLIP need", _CONVOLUTIONS, _LOCAL.name),
        Study("levels", "Which of CLIP's levels the branch reads, and how many", _LEVELS, "interval-1"),
        Study("temporal", "What mixes frames: attention, convolution or nothing", _TEMPORAL, "none"),
        Study("frames", "How many frames a clip needs", _FRAMES, "baseline-frames-1"),
        Study("test-time", "What tricks at test time add", _TEST_TIME, "baseline"),
        Study("classifiers", "What names a class: its text or learned weights", _CLASSIFIERS, "mean"),
        Study("backbones", "Temporal methods on CLIPs of several families", _BACKBONES, "mean-clip"),
        Study("recipe", "What is trained, and how fast CLIP follows", _RECIPE, "mean-vision-frozen"),
    )
}
