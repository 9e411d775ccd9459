"""Names of temporal methods and similarities in; what each does to CLIP, where, and after which source, out."""

from stan.report.mechanisms.inside import MIXES, PLACES, SIMILARITIES, TEMPORAL, Mechanism, Part

__all__ = ["MIXES", "PLACES", "SIMILARITIES", "TEMPORAL", "Mechanism", "Part"]
