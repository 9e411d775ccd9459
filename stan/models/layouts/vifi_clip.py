"""ViFi-CLIP's layout: both towers of a CLIP tuned on videos, without the embeddings of its tokens."""

from __future__ import annotations

from stan.models.layouts.clip import TEXT
from stan.models.layouts.names import IMAGENET, Layout

VIFI_CLIP = Layout(
    "ViFi-CLIP",
    (r"image_encoder\..+", r"text_encoder\..+"),
    {
        r"image_encoder\.(.+)": r"clip.visual.\1",
        rf"text_encoder\.({TEXT})": r"clip.text.\1",
        "logit_scale": "clip.logit_scale",
    },
    left_out={
        r"prompt_learner\.complete_text_embeddings": "sentences of the classes that it was trained on, as its CLIP"
        " embeds their tokens"
    },
    pixels=IMAGENET,
)
