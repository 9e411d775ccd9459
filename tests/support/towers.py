"""Name of a family of open_clip's image towers in, a small one of its kind with random weights out."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from stan.data.preprocessing import OPENAI
from stan.models.clip import Clip

import timm  # isort: skip # after stan.models, which prepares it
import stan.models.towers.tiny  # noqa: F401  # isort: skip # tells timm the name of one of them
from open_clip.model import CustomTextCLIP  # isort: skip

TEXT = {"context_length": 12, "vocab_size": 49408, "heads": 2, "layers": 2}
VIT = {"embed_dim": 48, "depth": 3, "num_heads": 4}
NORM = timm.models.vitamin.VitConvCfg(norm_layer="layernorm2d", norm_eps=1e-6)
CONVOLUTIONS = timm.models.vitamin.VitCfg((8, 16, 48), (1, 1, 1), 8, NORM, "1d")
VITAMIN = VIT | {"depth": 2, "img_size": 64, "embed_cfg": CONVOLUTIONS}

OPEN_CLIP: dict[str, dict[str, Any]] = {
    "class token": {},
    "mean": {"no_ln_pre": True, "pool_type": "avg", "final_ln_after_pool": True},  # CLIPA
    "mean of normalised": {"pool_type": "avg"},
}
"""open_clip's own ViT: what a family's vision_cfg says beside its size."""

TIMM: dict[str, tuple[str, str, str | None, dict[str, Any]]] = {
    "EVA": ("eva_giant_patch14_224", "token", None, VIT | {"img_size": 32, "patch_size": 8}),
    "EVA02": ("eva02_base_patch16_clip_224", "token", None, VIT | {"img_size": 48}),
    "EVA02 post-norm": ("eva02_enormous_patch14_clip_224", "token", None, VIT | {"img_size": 42}),
    "SigLIP": ("vit_base_patch16_siglip_224", "map", "none", VIT | {"img_size": 48}),
    "Perception Encoder": ("vit_pe_core_base_patch16_224", "map", None, VIT | {"img_size": 48}),
    "Perception Encoder G": ("vit_pe_core_gigantic_patch14_448", "map", None, VIT | {"img_size": 42}),
    "MobileCLIP B": ("vit_base_mci_224", "token", None, {"depth": 2, "img_size": 64}),
    "MobileCLIP L": ("vit_large_patch14_clip_224", "token", None, VIT | {"img_size": 42}),
    "ViTamin": ("vitamin_small_224", "", "linear", VITAMIN),
    "ViTamin XL": ("vitamin_xlarge_256", "", "linear", VITAMIN),
    "relative positions": ("vit_relpos_medium_patch16_cls_224", "", "linear", VIT | {"img_size": 48}),
    "no class token": ("vit_medium_patch16_gap_256", "", "linear", VIT | {"img_size": 48}),
    "register": ("test_vit3", "map", "none", {"img_size": 48}),
    "averaging": ("stan_tiny_averaging", "token", None, {"img_size": 48}),
    "FastViT": ("fastvit_mci0", "avg", None, {"embed_dims": (32, 32, 64, 64), "layers": (1, 1, 1, 3)}),
    "ConvNeXt": ("convnext_tiny", "", "linear", {"dims": (16, 16, 32, 64), "depths": (1, 1, 1, 3)}),
    "ConvNeXt, MLP": ("convnext_tiny", "", "mlp", {"dims": (16, 16, 32, 64), "depths": (1, 1, 1, 3)}),
    "Swin": ("swin_base_patch4_window7_224", "", "linear", {"embed_dim": 16, "depths": (1, 1, 1, 3)}),
}
"""timm's networks: name, pooling and projection as open_clip configures the family, and what makes it small."""

FAMILIES = [*OPEN_CLIP, *TIMM]
SETTINGS: dict[str, dict[str, Any]] = {
    "stan": {"layers": 2},
    "evl": {"layers": 1},
    "uniformer_v2": {"layers": 1},
    "sequence_transformer": {"layers": 2},
    "temporal_difference": {"layers": 2},
    "efficient_prompting": {"prefix": 2, "suffix": 2},
    "token_roll": {"share": 0.25},
    "token_learner": {"tokens": 2},
}
"""Options of methods that fit towers of three blocks over few patches, and captions of twelve tokens."""
STAGED = ["FastViT", "ConvNeXt", "ConvNeXt, MLP", "Swin"]
"""Families whose blocks have no parts."""
PLACED = ["EVA02", "Perception Encoder", "Perception Encoder G", "relative positions"]
"""Families whose attention knows where patches lie."""


def config_of(family: str) -> dict[str, Any]:
    """Return the family's model config, for `built`."""
    if family in OPEN_CLIP:
        size = {"image_size": 16, "layers": 3, "width": 24, "head_width": 12, "patch_size": 8}
        vision = size | OPEN_CLIP[family]
    else:
        name, pool, projection, small = TIMM[family]
        vision = {
            "timm_model_name": name,
            "timm_pool": pool,
            "timm_proj": projection,
            "image_size": small.get("img_size", 224 if family == "Swin" else 64),
        }
    embed_dim = {"SigLIP": 48, "register": 96}.get(family, 16)
    return {"embed_dim": embed_dim, "vision_cfg": vision, "text_cfg": TEXT | {"width": embed_dim}}


def small(monkeypatch: pytest.MonkeyPatch, family: str) -> dict[str, Any]:
    """Make open_clip build the family's network small, and return its model config."""
    if family in TIMM:
        created = partial(timm.create_model, **TIMM[family][3])
        monkeypatch.setattr(timm, "create_model", created)
    return config_of(family)


def theirs(monkeypatch: pytest.MonkeyPatch, family: str) -> CustomTextCLIP:
    """Return open_clip's own model, no parameter of which is zero or one throughout."""
    torch.manual_seed(0)
    model = CustomTextCLIP(**small(monkeypatch, family)).eval()
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    return model


def clip_of(family: str) -> Clip:
    """Return the family's model as wrapped, in evaluation mode."""
    with pytest.MonkeyPatch.context() as patch:
        return Clip(theirs(patch, family), OPENAI, None).eval()
