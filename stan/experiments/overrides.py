"""A study's row by name and changed fields in; the experiment out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stan import experiments
from stan.config import Experiment, from_dict, to_dict


def experiment(
    study: str,
    row: str,
    suite: str,
    size: str = "quick",
    seed: int = 0,
    root: str | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
) -> Experiment:
    """One row of a study. `overrides` changes fields of its parts: {"train": {"epochs": 1}, "data": {...}}.

    Raises ValueError for whatever isn't known.
    """
    experiments.row(study, row)
    rows = {one.row: one for one in experiments.study(study, suite, size, root)}
    return changed(replace(rows[row], seed=seed), overrides or {})


def given_or(complete: Mapping[str, Any], **named: Any) -> Experiment:
    """The experiment that `complete` describes (`config.to_dict`), or else the one that `experiment(**named)` finds."""
    return from_dict(dict(complete)) if complete else experiment(**named)


def changed(wanted: Experiment, overrides: Mapping[str, Mapping[str, Any]]) -> Experiment:
    """`wanted` with single fields replaced, the method's options one by one. Raises ValueError for unknown fields."""
    values = to_dict(wanted)
    for part, fields in overrides.items():
        if not isinstance(fields, Mapping) or not isinstance(values.get(part), dict):
            raise ValueError(f"an experiment has no part {part!r} with fields; it has data, model, train")
        options = values[part].get("options", {}) | fields.get("options", {})
        values[part] |= dict(fields) | ({"options": options} if part == "model" else {})
    return from_dict(values)
