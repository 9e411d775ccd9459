"""A study, a suite and seeds in; a finished run for every row and seed, and the study's report, out."""

from stan.training.sweep.sweep import (
    Report,
    Run,
    ablate,
    changed,
    experiment,
    given_or,
    report_on,
    rows_of,
    train_all,
    trials_of,
    with_rate,
)

__all__ = [
    "Report",
    "Run",
    "ablate",
    "changed",
    "experiment",
    "given_or",
    "report_on",
    "rows_of",
    "train_all",
    "trials_of",
    "with_rate",
]
