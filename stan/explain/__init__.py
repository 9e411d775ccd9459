"""A model, a video and a sentence in; tested maps that explain why they score as they do, and raw attention, out."""

from stan.explain.attention import NOTE, Attention, attention, attention_of
from stan.explain.explanation import Explanation, Map, explain
from stan.explain.faithfulness import Faithfulness

__all__ = [
    "NOTE",
    "Attention",
    "Explanation",
    "Faithfulness",
    "Map",
    "attention",
    "attention_of",
    "explain",
]
