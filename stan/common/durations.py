"""A duration in seconds in; what a document says of it out."""

from __future__ import annotations


def milliseconds(seconds: float) -> float:
    """Return a duration as documents give it: milliseconds, to a hundredth."""
    return round(1000 * seconds, 2)
