"""A study's name, a suite and a size in; the study's rows as experiments, and the paper's numbers beside them, out."""

from stan.experiments.learning_rates import (
    LEARNING_RATES,
    RATES_FILE,
    choose_rates,
    chosen_rates,
    learning_rate,
    rate_key,
)
from stan.experiments.settings import SETTINGS, backbones, rate_trials, row, size_of, study
from stan.experiments.studies import STUDIES, Row, Study

__all__ = [
    "LEARNING_RATES",
    "RATES_FILE",
    "SETTINGS",
    "STUDIES",
    "Row",
    "Study",
    "backbones",
    "choose_rates",
    "chosen_rates",
    "learning_rate",
    "rate_key",
    "rate_trials",
    "row",
    "size_of",
    "study",
]
