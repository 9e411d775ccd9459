"""The demo over a small library and an untrained model, for the modules that click through it."""

from __future__ import annotations

import pytest
import torch

from demo.service.backend import Backend
from stan.config import ModelConfig
from stan.library import Library
from stan.models.dual_encoder import build
from tests.support.demo_page import NAMES, launched
from tests.support.small_clips import write_clip

COLOURS = [(30, 30, 220), (30, 220, 30), (220, 30, 30)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo")
    (root / "videos" / "trips").mkdir(parents=True)
    (root / "more").mkdir()
    for name, colour in zip(NAMES, COLOURS, strict=True):
        write_clip(root / "videos" / name, colour)
    return root


@pytest.fixture(scope="module")
def library(folder):
    torch.manual_seed(0)
    library = Library(folder / "library", build(ModelConfig(pretrained="random"), frames=4))
    library.add(folder / "videos")
    return library


@pytest.fixture(scope="module")
def address(folder, library):
    engine = Backend({"mine": lambda: library}, folder / "library" / "proxies", [folder / "more"])
    with launched(engine.calls()) as local:
        yield local
