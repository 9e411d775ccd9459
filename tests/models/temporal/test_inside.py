"""Methods that work inside CLIP's blocks: what all promise, and each against its source's description."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from lightning_fabric import Fabric

from stan import experiments
from stan.config import TrainConfig
from stan.explain import attention_of
from stan.models.clip import load_clip
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal import METHODS, build
from stan.models.temporal.base import Temporal
from stan.models.temporal.center_clip import medoids
from stan.models.temporal.token_roll import _neighbour
from stan.models.video_encoder import VideoEncoder
from stan.training.objective import Objective, batch_loss
from stan.training.optim import freeze, parameter_groups
from stan.training.trainer import train
from tests.support.moved_weights import moved
from tests.support.tiny_experiment import tiny

WIDTH, PATCHES = 64, 16  # of the tiny CLIP
INSIDE = [name for name, method in METHODS.items() if method.inside is not Temporal.inside]
OPTIONS = {
    "st_adapter before both": ("st_adapter", {"before": "attention and mlp"}),
    "aim with adapted input": ("aim", {"adapted_input": True}),
    "x_clip without MIT": ("x_clip", {"layers": 0}),
    "center_clip of three": ("center_clip", {"segment": 3, "clusters": 5, "block": 1}),
    "divided_space_time with one CLS": ("divided_space_time", {"one_cls": True, "drop_path": 0.1}),
    "joint_space_time with one CLS": ("joint_space_time", {"one_cls": True, "drop_path": 0.1}),
    "token_learner early": ("token_learner", {"tokens": 3, "block": 0}),
}
SETTINGS = {name: (name, {}) for name in INSIDE} | OPTIONS

START_AS_CLIP = [
    "st_adapter",
    "st_adapter before both",
    "aim",
    "aim with adapted input",
    "divided_space_time",
]
CLIP_OF_ONE_FRAME = [
    *START_AS_CLIP,
    "divided_space_time with one CLS",
    "joint_space_time",
    "joint_space_time with one CLS",
    "frozen_in_time",
    "token_roll",
]
ORDER_BLIND = ["x_clip without MIT"]


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


def encoder_of(clip, setting: str, frames: int = 4) -> VideoEncoder:
    name, options = SETTINGS[setting]
    torch.manual_seed(1)
    return VideoEncoder(clip, build(name, clip, frames, options)).eval()


@pytest.fixture(params=SETTINGS)
def setting(request):
    return request.param


@pytest.fixture
def encoder(clip, setting):
    """With zero-initialised weights perturbed."""
    encoder = encoder_of(clip, setting)
    moved(encoder.temporal)
    return encoder


@pytest.fixture
def video():
    return torch.randn(2, 4, 3, 48, 48, generator=torch.Generator().manual_seed(2))


def pooled(clip, video):
    return VideoEncoder(clip, Temporal(clip, 4))(video).frames


def test_every_method_inside_is_tested():
    assert {name for name, _ in SETTINGS.values()} == set(INSIDE) and len(INSIDE) == 10
