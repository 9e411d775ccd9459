"""Scores in; ranks, metrics, intervals and calibrated probabilities out."""
