"""Offers one experiment per rival with its authors' own training settings, and the numbers printed for them."""

from stan.experiments.released.recognition import RELEASED, STUDY

__all__ = ["RELEASED", "STUDY"]
