"""A model and a video in, maps of where the model looks out."""

from stan.explain.attention import NOTE, Attention, attention, attention_of

__all__ = ["NOTE", "Attention", "attention", "attention_of"]
