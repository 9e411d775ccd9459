"""Options of an experiment, and changes written as PART.FIELD=VALUE, in; the changed fields as nested dicts out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from stan.common.json_values import from_json

T = TypeVar("T", int, float)

Suite = Annotated[
    str,
    typer.Option(
        "--suite",
        "--data",
        help="A suite of the embedded world (retrieval, paragraph, scenes, motions), or SET:ROOT for a real set.",
    ),
]
Size = Annotated[
    str, typer.Option(help="Size of the embedded world: tiny (to try things out), quick or full.")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Change a setting, e.g. train.epochs=4 or model.options.layers=2; repeatable."
    ),
]
Backbone = Annotated[
    str | None, typer.Option(help="tiny, another one that `stan backbones` lists, or a folder of a CLIP.")
]
Pretrained = Annotated[str | None, typer.Option(help="A tag of open_clip, a local file, or random.")]


def overrides(settings: list[str] | None, backbone: str | None, pretrained: str | None) -> dict[str, Any]:
    """Return nested fields from `part.field=value`. Values are read as JSON if possible, otherwise as text."""
    named = {"backbone": backbone, "pretrained": pretrained}
    model = {name: value for name, value in named.items() if value is not None}
    changed: dict[str, Any] = {"model": model} if model else {}
    for pair in settings or []:
        name, equals, value = pair.partition("=")
        *parts, last = name.split(".")
        if not equals or not parts:
            raise ValueError(f"--set {pair}: write PART.FIELD=VALUE, e.g. train.epochs=4")
        inner = changed
        for part in parts:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise ValueError(f"--set {pair}: {part} was given a value before, so it has no fields")
        inner[last] = _value(value)
    return changed


def _value(text: str) -> Any:
    try:
        return from_json(text)
    except ValueError:
        return text


def listed(option: str, text: str, kind: Callable[[str], T], example: str) -> list[T]:
    """Return the numbers in an option's text, separated by commas or spaces. Raises ValueError for what is none."""
    try:
        return [kind(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise ValueError(f"{option} {text}: write numbers separated by commas, e.g. {example}") from None
