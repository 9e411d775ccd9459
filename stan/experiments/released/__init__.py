"""Offers one experiment per rival with its authors' own training settings, and the numbers printed for them.

The studies train every method under one recipe; these rows train each under its own. They say where the settings come
from, which of them the source leaves open, and what of the source cannot be said in an experiment.
"""

from stan.experiments.paper_rows import Benchmark
from stan.experiments.released.linear_classifiers import LINEAR_CLASSIFIERS
from stan.experiments.released.retrieval import RETRIEVAL
from stan.experiments.released.rows import STUDY
from stan.experiments.released.text_classifiers import TEXT_CLASSIFIERS

__all__ = ["RELEASED", "STUDY"]

RELEASED: dict[str, Benchmark] = {
    row.name: row for row in (*RETRIEVAL, *TEXT_CLASSIFIERS, *LINEAR_CLASSIFIERS)
}
