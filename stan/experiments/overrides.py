"""The name of a study's row, and fields to change, in; the experiment out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stan import experiments
from stan.common.json_values import require
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
    """Return one row of a study. `overrides` changes fields of its parts: {"train": {"epochs": 1}, "data": {...}}.

    Raises ValueError for any unknown name or field.
    """
    experiments.row(study, row)
    rows = {one.row: one for one in experiments.study(study, suite, size, root, backbone_of(overrides))}
    return changed(replace(rows[row], seed=seed), overrides or {})


def backbone_of(overrides: Mapping[str, Mapping[str, Any]] | None) -> str | None:
    """Return the backbone that the overrides name; None if they name none. Raises ValueError for what is no name."""
    model = (overrides or {}).get("model")
    backbone = model.get("backbone") if isinstance(model, Mapping) else None
    require("model.backbone", backbone, "str | None")
    return backbone


def given_or(complete: Mapping[str, Any], **named: Any) -> Experiment:
    """Return the experiment that `complete` describes (as from `config.to_dict`); if empty, `experiment(**named)`."""
    return from_dict(dict(complete)) if complete else experiment(**named)


def changed(wanted: Experiment, overrides: Mapping[str, Mapping[str, Any]]) -> Experiment:
    """Return `wanted` with the given fields replaced; the temporal method's options are replaced one by one.

    A backbone that brings its weights, a shipped one or a folder, takes these unless others are named.

    Raises ValueError for unknown fields and for values of another kind.
    """
    values = to_dict(wanted)
    for part, fields in overrides.items():
        if not isinstance(fields, Mapping) or not isinstance(values.get(part), dict):
            raise ValueError(f"an experiment has no part {part!r} with fields; it has data, model, train")
        new = dict(fields)
        if part == "model" and "options" in new:
            require("model.options", new["options"], "dict[str, Any]")
            new["options"] = values[part]["options"] | new["options"]
        if part == "model" and "backbone" in new:
            new = _own_weights(new["backbone"]) | new
        values[part] |= new
    return from_dict(values)


def _own_weights(backbone: str) -> dict[str, None]:
    from stan.models.backbones import SHIPPED, is_architecture  # imports torch

    return {"pretrained": None} if backbone in SHIPPED or not is_architecture(backbone) else {}
