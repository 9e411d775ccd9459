"""Run records in; a study's tables, figures and files out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stan.common import lazily

if TYPE_CHECKING:
    from stan.report.interpolation import interpolations, trade_off
    from stan.report.tables import (
        changes,
        components,
        costs,
        headline,
        of_study,
        overview,
        printed,
        rows,
        seeds,
        status,
        study_runs,
        time_probes,
        told_apart,
        with_costs,
    )

__all__ = [
    "changes",
    "components",
    "costs",
    "headline",
    "interpolations",
    "of_study",
    "overview",
    "printed",
    "rows",
    "seeds",
    "status",
    "study_runs",
    "time_probes",
    "told_apart",
    "trade_off",
    "with_costs",
]

__getattr__ = lazily.names(
    __name__,
    dict.fromkeys(__all__, "stan.report.tables")
    | dict.fromkeys(("interpolations", "trade_off"), "stan.report.interpolation"),
)
