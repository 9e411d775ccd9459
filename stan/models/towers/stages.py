"""A timm network of stages under open_clip's adapter in (FastViT, ConvNeXt, Swin), an image tower out.

The blocks of the last stage share one width and one grid, so they are the tower's blocks; the stages before them are
its patch embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jaxtyping import Float
from open_clip.timm_model import TimmModel
from torch import Tensor, nn

from stan.models.blocks import MapBlock
from stan.models.towers.base import ImageTower
from stan.models.towers.pooling import MeanPool
from stan.models.towers.timm_adapter import embedding_width, undropped


class StagedTower(ImageTower):
    """The last stage's blocks, without a class token; a frame's token is the mean of its patches.

    Parameters keep timm's names outside the last stage.
    """

    stages: str
    """Name of the stages in timm."""
    channels_last = False

    def __init__(self, model: TimmModel):
        super().__init__()
        self.trunk, self.head = undropped(model.trunk), model.head
        self.mean = MeanPool()
        last = self._stages[-1]
        self.image_size = model.image_size[0]
        reduction = self.trunk.feature_info[-1]["reduction"]
        self.grid = tuple(-(-length // reduction) for length in model.image_size)
        self.prefix = 0
        self.width = self.pooled_width = self.trunk.feature_info[-1]["num_chs"]
        self.embed_dim = embedding_width(model)
        self.heads = _shared_heads(self.width)
        last.blocks = nn.ModuleList(MapBlock(block, self.grid, self.channels_last) for block in last.blocks)

    @property
    def _stages(self) -> Any:
        return getattr(self.trunk, self.stages)

    @property
    def blocks(self) -> Sequence[MapBlock]:
        return self._stages[-1].blocks

    @property
    def pooler(self) -> MeanPool:
        return self.mean

    @property
    def patch_positions(self) -> None:
        return None

    @property
    def cls_start(self) -> tuple[()]:
        return ()

    def tokens(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N P D"]:
        x = self.stem(images)
        for stage in self._stages[:-1]:
            x = stage(x)
        return self._as_tokens(self.enter(self._stages[-1], x))

    def stem(self, images: Float[Tensor, "N 3 H W"]) -> Tensor:
        """Return what the first stage reads."""
        return self.trunk.stem(images)

    def enter(self, last: Any, x: Tensor) -> Tensor:
        """Return what the last stage's blocks read."""
        return last.downsample(x)

    def start(self, tokens: Float[Tensor, "*N P D"]) -> Float[Tensor, "*N P D"]:
        return tokens

    def cls(self, x: Float[Tensor, "*N P D"]) -> Float[Tensor, "*N D"]:
        return x.mean(-2)

    def pool(self, x: Float[Tensor, "*N P D"]) -> Float[Tensor, "*N C"]:
        return self.mean(x)

    def projection(self) -> Iterator[nn.Parameter]:
        yield from self.head.parameters()

    def _as_tokens(self, x: Tensor) -> Float[Tensor, "N P D"]:
        return x.flatten(1, 2) if self.channels_last else x.flatten(2).transpose(1, 2)

    def _as_map(self, x: Float[Tensor, "N P D"]) -> Float[Tensor, "N D rows columns"]:
        return x.unflatten(1, self.grid).permute(0, 3, 1, 2)


class ConvNextTower(StagedTower):
    """ConvNeXt: the mean of the patches, then a LayerNorm."""

    stages, last_norm = "stages", "trunk.head.norm"

    def normalise(self, pooled: Float[Tensor, "*N C"]) -> Float[Tensor, "*N C"]:
        flat = pooled.flatten(0, -2)[..., None, None]
        return self.trunk.head.norm(flat).reshape(pooled.shape)

    def project(self, pooled: Float[Tensor, "*N C"]) -> Float[Tensor, "*N E"]:
        return self.head(self.normalise(pooled))


class FastVitTower(StagedTower):
    """FastViT (MobileCLIP): a convolution of the last map to C > D channels, whose mean over places is projected."""

    stages, last_norm = "stages", "trunk.final_conv"

    def __init__(self, model: TimmModel):
        super().__init__(model)
        self.pooled_width = self.trunk.num_features

    def enter(self, last: Any, x: Tensor) -> Tensor:
        return last.pos_emb(last.downsample(x))

    def pool(self, x: Float[Tensor, "*N P D"]) -> Float[Tensor, "*N C"]:
        maps = self.trunk.final_conv(self._as_map(x.flatten(0, -3)))
        return self.mean(self._as_tokens(maps)).reshape(*x.shape[:-2], -1)

    def normalise(self, pooled: Float[Tensor, "*N C"]) -> Float[Tensor, "*N C"]:
        return pooled

    def project(self, pooled: Float[Tensor, "*N C"]) -> Float[Tensor, "*N E"]:
        return self.head(self.trunk.head.fc(pooled))

    def projection(self) -> Iterator[nn.Parameter]:
        yield from super().projection()
        yield from self.trunk.head.fc.parameters()


class SwinTower(StagedTower):
    """Swin: a LayerNorm of the patches, then their mean."""

    stages, last_norm, channels_last = "layers", "trunk.norm", True

    def stem(self, images: Float[Tensor, "N 3 H W"]) -> Tensor:
        return self.trunk.patch_embed(images)

    def pool(self, x: Float[Tensor, "*N P D"]) -> Float[Tensor, "*N C"]:
        return self.mean(self.trunk.norm(x))

    def normalise(self, pooled: Float[Tensor, "*N C"]) -> Float[Tensor, "*N C"]:
        return pooled

    def project(self, pooled: Float[Tensor, "*N C"]) -> Float[Tensor, "*N E"]:
        return self.head(pooled)


def _shared_heads(width: int) -> int:
    """Return the largest number of heads that share `width` channels with at least 64 for each."""
    return next((heads for heads in range(width // 64, 0, -1) if width % heads == 0), 1)
