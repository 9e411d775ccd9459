"""Image-text knowledge carried over to video: the names a user needs, each imported when first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "load_model": "stan.models.factory",
    "save_model": "stan.models.factory",
    "Library": "stan.library",
    "Experiment": "stan.config",
}
_MODULES = {
    "config": "stan.config",
    "evaluate": "stan.evaluation.measure",
    "experiments": "stan.experiments",
    "explain": "stan.explain",
    "metrics": "stan.evaluation.metrics",
    "published": "stan.experiments.published",
    "results": "stan.results",
    "statistics": "stan.evaluation.statistics",
    "train": "stan.training.trainer",
}

__all__ = [*_HOMES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _MODULES:
        return import_module(_MODULES[name])
    raise AttributeError(f"module 'stan' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
