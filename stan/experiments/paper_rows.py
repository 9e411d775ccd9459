"""Offers the rows that the paper's benchmark tables print for STAN, as experiments with their printed numbers.

Every row has the paper's settings. A row for which the released code has a config also exists with that config's
settings (`...-released`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from stan.config import DataConfig, Experiment, ModelConfig, TrainConfig, with_parts
from stan.experiments import published

STUDY = "benchmarks"


@dataclass(frozen=True)
class Benchmark:
    """A printed row, and the experiment that trains it."""

    experiment: Experiment
    table: str
    """Name of a table in `published`; `benchmark` and `row` are names there, too."""
    benchmark: str
    row: str
    settings: str
    """paper or released: the source of the settings."""
    unstated: tuple[str, ...]
    """Settings that the source doesn't give; they come from the released config for this set, or are our choice."""
    source: str = ""
    """Repository, files and commit that the settings come from, if that isn't the paper or its released code."""
    differs: tuple[str, ...] = ()
    """What the source does otherwise, because an experiment can't say it."""

    @property
    def name(self) -> str:
        return self.experiment.row

    @property
    def printed(self) -> list[dict[str, Any]]:
        """The printed row's numbers: [{"metric", "value", "source", "note"}]."""
        place = (self.table, self.benchmark, self.row)
        known = published.numbers() + published.released()
        items = [i for i in known if (i["table"], i["benchmark"], i["row"]) == place]
        return [{key: item[key] for key in ("metric", "value", "source", "note")} for item in items]


_PAPER = TrainConfig("nothing", epochs=10, batch=128, lr=2e-5, temperature=0.01, precision="bf16-mixed")
"""Adam, weight decay 0.02, CLIP's learning rate a tenth of the branch's; "mixed precision" is read as bfloat16."""

_OF_PAPER = {"first_input": "paper", "merge": "projection"}
"""Equations 4 to 6 of the paper. The released code has a different first input, and adds levels as they are."""

_BACKBONES = {"b32": "ViT-B-32", "b16": "ViT-B-16"}
_MODULES = {
    "self": {"cross_frame": "attention"},
    "conv": {"cross_frame": "convolution", "convolution": "bottleneck"},
}
_LETTERS = {"self": "A-STA", "conv": "C-STA"}
_RETRIEVAL = {
    "msrvtt": ("MSR-VTT", 12, 32, {}),
    "didemo": ("DiDeMo", 64, 64, {"epochs": 20, "temperature": 0.05}),
    "lsmdc": ("LSMDC", 12, 32, {"epochs": 100}),
}
"""Benchmark, frames, words, and the settings that the paper leaves open, from the released config of B/32."""

_RETRIEVAL_ROWS = {
    "msrvtt": ("self-b32", "conv-b32", "self-b16", "self-b16-dsl"),
    "didemo": ("self-b32", "conv-b32", "conv-b16", "conv-b16-dsl"),
    "lsmdc": ("self-b32", "conv-b32", "self-b16", "self-b16-dsl"),
}
_RECOGNITION_ROWS = {
    "kinetics": (("conv", 8), ("self", 8), ("self", 16)),
    "something": (("conv", 8), ("self", 8), ("self", 16)),
}
_RELEASED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "msrvtt-self-b32": ({}, {"weight_decay": 0.05}),
    "msrvtt-self-b16": ({}, {"batch": 64, "weight_decay": 0.05, "temperature": 0.02}),
    "didemo-self-b32": ({"words": 77}, {"batch": 64, "weight_decay": 0.01}),
    "lsmdc-self-b32": ({}, {"lr": 1e-5, "weight_decay": 0.2}),
}
"""What the released configs change in data and recipe. Their batches count the clips of eight processes together."""


def _retrieval(suite: str, row: str) -> Benchmark:
    module, backbone, *dsl = row.split("-")
    title, frames, words, recipe = _RETRIEVAL[suite]
    experiment = Experiment(
        STUDY,
        f"{suite}-{row}",
        DataConfig(suite, "full", frames, words),
        _model(backbone, module, 4),
        replace(_PAPER, **recipe),
        test_time=tuple(dsl),
    )
    label = f"{_LETTERS[module]}-{backbone[0].upper()}/{backbone[1:]}" + (", DSL/QB-Norm" if dsl else "")
    return Benchmark(experiment, "retrieval", title, label, "paper", ("epochs", "temperature", "warmup"))


def _recognition(suite: str, module: str, frames: int) -> Benchmark:
    title, layers = {"kinetics": ("Kinetics-400", 4), "something": ("Something-Something-v2", 6)}[suite]
    experiment = Experiment(
        STUDY,
        f"{suite}-{module}-b16-{frames}",
        DataConfig(suite, "full", frames, 32),
        _model("b16", module, layers),
        _PAPER,
        test_time=("views-1x3",),
    )
    named = _LETTERS[module] if suite == "kinetics" else f"STAN-{module}"
    label = f"{named}-B/16, {frames} frames, 1x3 views"
    return Benchmark(
        experiment, "recognition", title, label, "paper", ("epochs", "temperature", "warmup", "words")
    )


def _released(row: Benchmark) -> Benchmark:
    data, recipe = _RELEASED[row.name]
    as_released = {"first_input": "released", "merge": "sum"}
    experiment = with_parts(
        replace(row.experiment, row=f"{row.name}-released"),
        data=data,
        train=recipe,
        model={"options": row.experiment.model.options | as_released},
    )
    return replace(row, experiment=experiment, settings="released", unstated=("warmup",))


def _model(backbone: str, module: str, layers: int) -> ModelConfig:
    options = {"layers": layers} | _MODULES[module] | _OF_PAPER
    return ModelConfig(_BACKBONES[backbone], "openai", "stan", options)


def _rows() -> list[Benchmark]:
    paper = [_retrieval(suite, row) for suite, rows in _RETRIEVAL_ROWS.items() for row in rows]
    paper += [_recognition(suite, *row) for suite, rows in _RECOGNITION_ROWS.items() for row in rows]
    return paper + [_released(row) for row in paper if row.name in _RELEASED]


BENCHMARKS: dict[str, Benchmark] = {row.name: row for row in _rows()}
