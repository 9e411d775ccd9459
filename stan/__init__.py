"""The public names of `stan`, which carries image-text knowledge over to video; each is imported on first use."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `__getattr__` gives, for type checkers and editors
    from stan import config, experiments, explain, results
    from stan.config import Experiment
    from stan.evaluation import metrics, statistics
    from stan.experiments import published
    from stan.library import Library
    from stan.models.factory import load_model, save_model
    from stan.results import evaluate
    from stan.training import trainer as train

_HOMES = {
    "load_model": "stan.models.factory",
    "save_model": "stan.models.factory",
    "Library": "stan.library",
    "Experiment": "stan.config",
}
_MODULES = {
    "config": "stan.config",
    "evaluate": "stan.results.evaluate",
    "experiments": "stan.experiments",
    "explain": "stan.explain",
    "metrics": "stan.evaluation.metrics",
    "published": "stan.experiments.published",
    "results": "stan.results",
    "statistics": "stan.evaluation.statistics",
    "train": "stan.training.trainer",
}
_FORMER = {
    "figures": "stan.report.figures",
    "pretrain": "stan.training.pretrain",
    "similarity": "stan.models.similarity",
    "study_figures": "stan.report.study_figures",
    "sweep": "stan.training.sweep",
    "temporal": "stan.models.temporal",
    "tour": "stan.explain.tour",
}
"""New homes of modules that have moved, for notebooks and methods that were written for 0.1."""

__all__ = [
    "load_model",
    "save_model",
    "Library",
    "Experiment",
    "config",
    "evaluate",
    "experiments",
    "explain",
    "metrics",
    "published",
    "results",
    "statistics",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _MODULES or name in _FORMER:
        return import_module((_MODULES | _FORMER)[name])
    raise AttributeError(f"module 'stan' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]


class _OtherNames:
    """Finder and loader that makes `import stan.train` give the very module `stan.training.trainer`."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        home = (_MODULES | _FORMER).get(name) if package == "stan" else None
        if home is None:
            return None
        # It is a loader by its methods; importing the base class would take longer than all of this module.
        return ModuleSpec(fullname, self, origin=home)  # ty: ignore[invalid-argument-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Return None: Python then makes an ordinary module, which `exec_module` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None and module.__spec__.origin is not None
        sys.modules[module.__name__] = import_module(module.__spec__.origin)


sys.meta_path.append(_OtherNames())
