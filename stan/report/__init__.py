"""Run records in; a study's tables, figures and files out."""

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
)

__all__ = [
    "changes",
    "components",
    "costs",
    "headline",
    "of_study",
    "overview",
    "printed",
    "rows",
    "seeds",
    "status",
    "study_runs",
    "time_probes",
]
