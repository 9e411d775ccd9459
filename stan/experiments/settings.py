"""A study's name, a suite and a size in; its rows as experiments out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stan.config import DataConfig, Experiment, ModelConfig, TrainConfig
from stan.data.datasets import task
from stan.experiments.learning_rates import LEARNING_RATES, chosen_rates, rate_key
from stan.experiments.studies import STUDIES, Row, Study

UCF_HMDB = ("ucf101", "ucf101-2", "ucf101-3", "hmdb51", "hmdb51-2", "hmdb51-3")


@dataclass(frozen=True)
class _Setting:
    """What a suite and size need; the same for all rows of a study."""

    data: DataConfig
    train: TrainConfig
    layers: int
    """Layers of the branch (K)."""
    backbone: str = "tiny"
    depth: int = 6
    """The backbone's blocks."""
    pretrained: str | None = None
    options: tuple[tuple[str, Any], ...] = ()
    """Of every STAN row that doesn't say otherwise."""


_STAN_IN_WORLD = (("interval", 2), ("drop_path", 0.0), ("merge", "zero_projection"))
"""Three layers on every other of the tiny CLIP's six blocks. A thousand steps leave no path to drop; and levels that
are added in full at once hide what the layers below made out of them, so that a branch of one level would learn better
than one of several."""


def _world(suite: str, size: str, words: int, epochs: int, frames: int = 8, layers: int = 3) -> _Setting:
    data = DataConfig(suite=suite, size=size, frames=frames, words=words)
    # A class is named without the objects that fill a picture: its cosines are small, their scale has to be large.
    temperature, twins = (0.01, 4.0) if task(suite) == "recognition" else (0.05, 0.0)
    train = TrainConfig("vision", epochs, batch=32, lr=3e-3, temperature=temperature, twins=twins)
    return _Setting(data, train, layers, options=_STAN_IN_WORLD)


def _real(suite: str, frames: int, words: int, backbone: str, layers: int = 4, epochs: int = 10) -> _Setting:
    data = DataConfig(suite=suite, size="full", frames=frames, words=words)
    train = TrainConfig(frozen="nothing", epochs=epochs, batch=128, lr=2e-5, temperature=0.01)
    return _Setting(data, train, layers, backbone, 12, "openai")


SETTINGS: dict[tuple[str, str], _Setting] = {
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
"""Frames, words, epochs, batch and backbone by suite and size, in this one place. For real sets the paper's
and the released recipe's, where they say; what they leave open (recognition's epochs and temperature) is a
choice of ours. Sets that the paper doesn't use have the settings of the one most like them."""

for _suite in ("msrvtt", "msrvtt-7k", "msrvtt-full", "msvd"):
    SETTINGS[_suite, "full"] = _real(_suite, frames=12, words=32, backbone="ViT-B-32")
for _suite in ("activitynet", "activitynet-val2"):  # paragraphs, as DiDeMo's
    SETTINGS[_suite, "full"] = _real(_suite, frames=64, words=64, backbone="ViT-B-32", epochs=20)
for _suite in ("kinetics", *UCF_HMDB):
    SETTINGS[_suite, "full"] = _real(_suite, frames=8, words=32, backbone="ViT-B-16")


def study(name: str, suite: str, size: str = "quick", root: str | None = None) -> list[Experiment]:
    """The study's rows as experiments with seed 0; `dataclasses.replace(e, seed=1)` gives another seed.

    `root`: folder of a real data set. Raises ValueError for a study, suite or size that isn't known.
    """
    setting = _setting(suite, size)
    rows = [row for row in _study(name).rows if row.serves(task(suite))]
    rates = chosen_rates()
    return [_experiment(_study(name), row, setting, root, rates) for row in rows]


def row(name: str, row_name: str) -> Row:
    """A study's row by name. Raises ValueError listing the rows there are."""
    rows = {row.name: row for row in _study(name).rows}
    if row_name not in rows:
        raise ValueError(f"study {name} has no row {row_name!r}; it has {', '.join(rows)}")
    return rows[row_name]


def rate_trials(name: str, suite: str, size: str = "quick") -> list[Experiment]:
    """Every row that trains on its own, once with each of LEARNING_RATES, as study "learning-rates"."""
    trials = []
    for experiment in study(name, suite, size):
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
        ModelConfig(setting.backbone, setting.pretrained, row.temporal, options, row.similarity),
        replace(setting.train, **dict(row.train)),
        test_time=row.tricks(task(setting.data.suite)),
    )
    chosen = rates.get(rate_key(bare))
    return bare if chosen is None else replace(bare, train=replace(bare.train, lr=chosen["lr"]))


def _study(name: str) -> Study:
    if name not in STUDIES:
        raise ValueError(f"no study {name!r}; there are {', '.join(STUDIES)}")
    return STUDIES[name]


def _setting(suite: str, size: str) -> _Setting:
    real = {known for known, at in SETTINGS if (known, "quick") not in SETTINGS}
    key = (suite, "full" if suite in real else size)  # real sets have one size
    if key not in SETTINGS:
        known = ", ".join(sorted({known for known, _ in SETTINGS}))
        raise ValueError(f"no suite {suite!r} of size {size!r}; suites: {known}; sizes: quick, full")
    return SETTINGS[key]
