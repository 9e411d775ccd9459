"""Embedded videos in, a linear classifier's logit of each class out; texts don't matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor, nn

from stan.models.similarity.base import Similarity

if TYPE_CHECKING:
    from stan.models.clip import Clip
    from stan.models.text_tower import TextOutput
    from stan.models.video_encoder import VideoOutput

STD = 0.02


class LinearClassifier(Similarity):
    """One learned row of weights per class, as ST-Adapter, AIM and TimeSformer end (`fc`, `cls_head`, `head`).

    classes: how many there are. names: what they are called, in their order, where that is known.
    before_projection: True reads the image tower's own width, as the sources do; False reads the embedding that CLIP
        shares with its texts, for methods that work on it.

    The text side only says how many classes there are: text i stands for class i. Weights start from N(0, .02^2),
    biases at zero. The sources have no logit scale, so a score is divided here by the scale that multiplies it later.
    """

    reads_texts = False

    def __init__(
        self, clip: Clip, *, classes: int, names: Sequence[str] = (), before_projection: bool = True
    ):
        super().__init__(clip)
        if classes < 1:
            raise ValueError(f"linear_classifier: classes={classes}: it must be at least 1")
        if names and len(names) != classes:
            raise ValueError(f"linear_classifier: {len(names)} names for classes={classes}")
        self.classes = classes
        self.names = list(names)
        self.projected = not before_projection
        self.fc = nn.Linear(clip.embed_dim if self.projected else clip.width, classes)
        nn.init.normal_(self.fc.weight, std=STD)
        nn.init.zeros_(self.fc.bias)
        self._clip = (clip,)  # a tuple, so that CLIP isn't registered again

    def forward(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        """Return the scores. Raises ValueError if there isn't one text per class."""
        return self.of_classes(len(text.text), video).T

    def of_classes(self, names: int, video: VideoOutput) -> Float[Tensor, "videos classes"]:
        """Return the scores of `names` classes. Raises ValueError if there are not as many."""
        if names != self.classes:
            known = ", or none: the model brings them" if self.names else ""
            raise ValueError(
                f"{names} names for a classifier of {self.classes} classes: give one name per class, in their order"
                f"{known}"
            )
        return self.fc(video.video) / self._clip[0].logit_scale.exp()
