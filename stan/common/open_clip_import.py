"""Imports open_clip: after what it needs, and without what it would load for nothing."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module

from stan.common.torchvision_compat import declare


def prepare() -> None:
    """Import open_clip so that any later import finds it; call it before the first one.

    Where transformers is installed, open_clip imports it for its own text models and captions, which takes longer than
    all the rest. stan builds those text models itself (`stan.models.hugging_face_text`), so transformers is hidden from
    open_clip unless it, or open_clip, has already been imported.
    """
    declare()
    if "open_clip" in sys.modules or "transformers" in sys.modules:
        return
    sys.modules["transformers"] = None  # ty: ignore[invalid-assignment]  # to Python: there is none
    try:
        with warnings.catch_warnings():
            # of tqdm's, in a notebook without widgets; it sees tqdm first here, and draws no bars with it
            warnings.filterwarnings("ignore", "IProgress not found")
            import_module("open_clip")
    finally:
        del sys.modules["transformers"]
