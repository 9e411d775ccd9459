"""A study's name, a suite and a size in; the study's rows as experiments out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stan.config import DataConfig, Experiment, ModelConfig, TrainConfig
from stan.data import label_sets
from stan.data.datasets import task
from stan.experiments.learning_rates import LEARNING_RATES, chosen_rates, rate_key
from stan.experiments.studies import STUDIES, Row, Study

UCF_HMDB = ("ucf101", "ucf101-2", "ucf101-3", "hmdb51", "hmdb51-2", "hmdb51-3")


@dataclass(frozen=True)
class _Setting:
    """The settings of a suite and size, which are the same for all rows of a study."""

    data: DataConfig
    train: TrainConfig
    layers: int
    """Number of layers in the branch (K)."""
    backbone: str = "tiny"
    depth: int = 6
    """Number of blocks in the backbone."""
    pretrained: str | None = None
    options: tuple[tuple[str, Any], ...] = ()
    """Options of every STAN row, unless the row sets them itself."""
    towers: tuple[tuple[str, tuple[str, str | None]], ...] = ()
    """Backbone and weights of each family of CLIPs that there is beside the backbone's own, "clip"."""

    def on(self, backbone: str | None) -> _Setting:
        """Return the settings on another backbone (None: the same). In the world, the branch spans every tower."""
        if backbone is None:
            return self
        depth, options = _DEPTHS.get(backbone, self.depth), dict(self.options)
        if "interval" in options:
            options["interval"] = depth // self.layers
        return replace(self, backbone=backbone, depth=depth, options=tuple(options.items()))

    def backbone_of(self, tower: str | None) -> tuple[str, str | None]:
        """Return the backbone and the weights of a family; None: those of every other study."""
        own = (self.backbone, self.pretrained)
        return {None: own, "clip": own, **dict(self.towers)}[tower]

    def has(self, tower: str | None) -> bool:
        """Tell whether there is a CLIP of this family."""
        return tower in {None, "clip", *dict(self.towers)}


_DEPTHS = {"tiny-averaging": 9}
"""Number of blocks in backbones whose depth isn't that of a suite's own."""
_TINY_TOWERS = (("siglip", ("tiny-siglip", None)), ("eva", ("tiny-eva", None)))
_BASE_TOWERS = (
    ("siglip", ("ViT-B-16-SigLIP2", "webli")),
    ("eva", ("EVA02-B-16", "merged2b_s8b_b131k")),
    ("pe", ("PE-Core-B-16", "meta")),
    ("mobileclip", ("MobileCLIP2-B", "dfndr2b")),
)
_STAN_IN_WORLD = (("interval", 2), ("drop_path", 0.0), ("merge", "zero_projection"))
"""The branch has three layers, on every other of the tiny CLIP's six blocks. A thousand steps are too few for dropping
paths. Levels that are added in full from the start hide what the layers below made of them, so that a branch of one
level would learn better than a branch of several."""


def _world(suite: str, size: str, words: int, epochs: int, frames: int = 8, batch: int = 32) -> _Setting:
    data = DataConfig(suite=suite, size=size, frames=frames, words=words)
    # A class name doesn't mention the objects that fill a picture. Its cosines are small, so their scale must be large.
    temperature, twins = (0.01, 4.0) if task(suite) == "recognition" else (0.05, 0.0)
    train = TrainConfig("vision", epochs, batch, lr=3e-3, temperature=temperature, twins=twins)
    return _Setting(data, train, layers=3, options=_STAN_IN_WORLD, towers=_TINY_TOWERS)


def _real(suite: str, frames: int, words: int, backbone: str, layers: int = 4, epochs: int = 10) -> _Setting:
    data = DataConfig(suite=suite, size="full", frames=frames, words=words)
    train = TrainConfig(frozen="nothing", epochs=epochs, batch=128, lr=2e-5, temperature=0.01)
    return _Setting(data, train, layers, backbone, 12, "openai", towers=_BASE_TOWERS)


SETTINGS: dict[tuple[str, str], _Setting] = {
    ("retrieval", "tiny"): _world("retrieval", "tiny", words=32, epochs=2, batch=8),
    ("paragraph", "tiny"): _world("paragraph", "tiny", words=64, epochs=2, batch=8),
    ("scenes", "tiny"): _world("scenes", "tiny", words=32, epochs=2, batch=8),
    ("motions", "tiny"): _world("motions", "tiny", words=32, epochs=2, batch=8),
    ("retrieval", "quick"): _world("retrieval", "quick", words=32, epochs=9),
    ("paragraph", "quick"): _world("paragraph", "quick", words=64, epochs=7, frames=16),
    ("scenes", "quick"): _world("scenes", "quick", words=32, epochs=4),
    ("motions", "quick"): _world("motions", "quick", words=32, epochs=11),
    ("retrieval", "full"): _world("retrieval", "full", words=32, epochs=10),
    ("paragraph", "full"): _world("paragraph", "full", words=64, epochs=10, frames=16),
    ("scenes", "full"): _world("scenes", "full", words=32, epochs=5),
    ("motions", "full"): _world("motions", "full", words=32, epochs=12),
    ("didemo", "full"): _real("didemo", frames=64, words=64, backbone="ViT-B-32", epochs=20),
    ("lsmdc", "full"): _real("lsmdc", frames=12, words=32, backbone="ViT-B-32", epochs=100),
    ("something", "full"): _real("something", frames=8, words=32, backbone="ViT-B-16", layers=6),
}
"""Frames, words, epochs, batch and backbone by suite and size, in this one place. Real sets have the settings that the
paper and the released recipe state; those they leave open (epochs and temperature in recognition) are our choice. Sets
that the paper doesn't use have the settings of the most similar set."""

for _suite in ("msrvtt", "msrvtt-7k", "msrvtt-full", "msvd", "videofolder", "webdataset"):
    SETTINGS[_suite, "full"] = _real(_suite, frames=12, words=32, backbone="ViT-B-32")
for _suite in ("activitynet", "activitynet-val2"):  # paragraphs, like DiDeMo's
    SETTINGS[_suite, "full"] = _real(_suite, frames=64, words=64, backbone="ViT-B-32", epochs=20)
for _suite in ("kinetics", *UCF_HMDB, "videofolder-labels", "webdataset-labels"):
    SETTINGS[_suite, "full"] = _real(_suite, frames=8, words=32, backbone="ViT-B-16")


def study(
    name: str, suite: str, size: str = "quick", root: str | None = None, backbone: str | None = None
) -> list[Experiment]:
    """Return the study's rows as experiments with seed 0; `dataclasses.replace(e, seed=1)` gives another seed.

    root: folder of a real data set. backbone: another than the suite's own. Raises ValueError for an unknown study,
    suite or size.
    """
    setting = _setting(suite, size).on(backbone)
    rows = [row for row in _study(name).rows if row.serves(task(suite)) and setting.has(row.tower)]
    rates = chosen_rates()
    return [_experiment(_study(name), row, setting, root, rates) for row in rows]


def size_of(suite: str, size: str) -> str:
    """Return the size of a suite's runs: the given one in the embedded world; real sets have one, `full`."""
    is_real = (suite, "full") in SETTINGS and (suite, "quick") not in SETTINGS
    return "full" if is_real else size


def backbones(name: str, suite: str, size: str) -> set[str]:
    """Return the backbones of the study's rows. Raises ValueError for an unknown study, suite or size."""
    setting = _setting(suite, size)
    return {setting.backbone_of(row.tower)[0] for row in _study(name).rows if setting.has(row.tower)}


def row(name: str, row_name: str) -> Row:
    """Return a study's row by name. Raises ValueError, which lists the study's rows, for an unknown name."""
    rows = {row.name: row for row in _study(name).rows}
    if row_name not in rows:
        raise ValueError(f"study {name} has no row {row_name!r}; it has {', '.join(rows)}")
    return rows[row_name]


def rate_trials(name: str, suite: str, size: str = "quick", backbone: str | None = None) -> list[Experiment]:
    """Return every row that trains on its own, once with each of LEARNING_RATES, under the study "learning-rates"."""
    trials = []
    for experiment in study(name, suite, size, backbone=backbone):
        label = rate_key(experiment).rpartition("/")[2]
        for rate in LEARNING_RATES:
            train = replace(experiment.train, lr=rate)
            trials.append(
                replace(
                    experiment, study="learning-rates", row=f"{label}@{rate:g}", train=train, test_time=()
                )
            )
    return list({trial.id: trial for trial in trials}.values())


def _experiment(
    study: Study, row: Row, setting: _Setting, root: str | None, rates: Mapping[str, Any]
) -> Experiment:
    options = dict(row.options)
    if row.temporal == "stan":
        options = {"layers": setting.layers, **dict(setting.options)} | options
    if row.at_depth is not None:
        options |= row.at_depth(setting.depth)
    bare = Experiment(
        study.name,
        row.name,
        replace(setting.data, root=root, templates=row.templates, **dict(row.data)),
        ModelConfig(
            *(*setting.backbone_of(row.tower), row.temporal, options, row.similarity),
            {"classes": label_sets.count(setting.data.suite)}
            if row.similarity == "linear_classifier"
            else {},
        ),
        replace(setting.train, **dict(row.train)),
        test_time=row.tricks(task(setting.data.suite)),
    )
    # without a rate of its own, a row on another backbone keeps that of the suite's
    chosen = rates.get(rate_key(bare)) or rates.get(rate_key(replace(bare, model=ModelConfig())))
    return bare if chosen is None else replace(bare, train=replace(bare.train, lr=chosen["lr"]))


def _study(name: str) -> Study:
    if name not in STUDIES:
        raise ValueError(f"no study {name!r}; there are {', '.join(STUDIES)}")
    return STUDIES[name]


def _setting(suite: str, size: str) -> _Setting:
    key = (suite, size_of(suite, size))
    if key not in SETTINGS:
        known = ", ".join(sorted({known for known, _ in SETTINGS}))
        raise ValueError(f"no suite {suite!r} of size {size!r}; suites: {known}; sizes: tiny, quick, full")
    return SETTINGS[key]
