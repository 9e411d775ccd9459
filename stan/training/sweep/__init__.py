"""A study, a suite and seeds in; one finished run per row and seed, and the study's report, out."""

from stan.experiments.overrides import changed, experiment, given_or
from stan.training.sweep.rows import rows_of, trials_of, with_rate
from stan.training.sweep.run import Run
from stan.training.sweep.sweep import SweepReport, ablate, report_on, train_all

__all__ = [
    "SweepReport",
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
