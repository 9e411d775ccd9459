"""The guide's table of towers is what the code says of one small tower of each family."""

import re
from pathlib import Path

import pytest
import torch

from stan.models.attention import own_places
from stan.models.clip import Clip
from stan.models.temporal import METHODS, build
from tests.support import towers

PAGE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "backbones.md"
MARKS = r"(<!-- table of towers: .*? -->\n).*?(<!-- end of table -->)"
EXAMPLES = {
    "class token": "ViT-B-16, MetaCLIP, DFN",
    "mean": "CLIPA",
    "EVA": "EVA01-g-14",
    "EVA02": "EVA02-B-16, EVA02-L-14",
    "EVA02 post-norm": "EVA02-E-14",
    "SigLIP": "SigLIP, SigLIP 2",
    "Perception Encoder": "PE-Core-B-16, PE-Core-L-14-336",
    "Perception Encoder G": "PE-Core-bigG-14-448",
    "MobileCLIP B": "MobileCLIP-B, MobileCLIP2-B",
    "MobileCLIP L": "MobileCLIP2-L-14",
    "ViTamin": "ViTamin-S, ViTamin-B, ViTamin-L",
    "ViTamin XL": "ViTamin-XL-256",
    "relative positions": "vit_relpos_medium_patch16_cls_224",
    "no class token": "vit_medium_patch16_gap_256",
    "FastViT": "MobileCLIP-S1, MobileCLIP2-S0",
    "ConvNeXt": "convnext_base",
    "Swin": "swin_base_patch4_window7_224",
}
"""Families that open_clip's architectures have, and some of these."""


def table() -> str:
    columns = ("tower", "its own tokens", "places of patches", "stands for a frame", "refused by")
    lines = [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns))]
    lines += [f"| {' | '.join(row(family))} |" for family in EXAMPLES]
    return "\n".join([*lines, ""])


def row(family: str) -> tuple[str, ...]:
    clip = towers.clip_of(family)
    refused = [f"`{name}`" for name in METHODS if refuses(name, clip)]
    return (EXAMPLES[family], str(clip.prefix), places(clip), stands(clip), ", ".join(refused) or "none")


def places(clip: Clip) -> str:
    inside = clip.has_parts and own_places(clip.blocks[0].attn) is not None
    parts = ["added"] * (clip.visual.patch_positions is not None) + ["in attention"] * inside
    return ", ".join(parts) or ("by convolutions" if clip.has_parts else "by its blocks")


@torch.no_grad()
def stands(clip: Clip) -> str:
    tower = clip.visual
    images = torch.randn(1, 3, clip.image_size, clip.image_size, generator=torch.Generator().manual_seed(0))
    x = tower.start(tower.tokens(images))
    kinds = {"token 0": x[:, 0], "mean of the patches": tower.patches(x).mean(1)}
    found = [name for name, token in kinds.items() if torch.allclose(tower.cls(x), token, atol=1e-6)]
    return found[0] if found else "its pooling"


def refuses(name: str, clip: Clip) -> bool:
    try:
        build(name, clip, 3, towers.SETTINGS.get(name, {}))
    except ValueError as error:
        if "image tower" not in str(error):
            raise
        return True
    return False


@pytest.mark.slow
def test_the_guides_table():
    page = PAGE.read_text()
    assert re.search(MARKS, page, re.S)
    assert page == re.sub(MARKS, lambda found: found[1] + table() + found[2], page, flags=re.S)
