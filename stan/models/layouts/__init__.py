"""Tensors under other code's names in, the same tensors under our names and the design they imply out.

One module per source; `LAYOUTS` lists them. Names tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from stan.models.layouts import actionclip, aim, clip, st_adapter, stan, vit, x_clip
from stan.models.layouts.names import Layout, State, listed

__all__ = ["LAYOUTS", "Converted", "Layout", "convert", "listed", "recognise"]

LAYOUTS: dict[str, Layout] = {
    "first_stan": stan.FIRST,
    "timesformer": vit.TIMESFORMER,
    "frozen_in_time": vit.FROZEN_IN_TIME,
