"""Costs and the towers that are timed side by side, for every family of image towers."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from stan.bench import flops
from stan.bench.encoders import encoders
from stan.config import ModelConfig
from stan.models import backbones
from stan.models.attention import attend
from stan.models.blocks import Block
from stan.models.temporal.stan_layer import IntraFrame
from stan.models.towers import image_tower
from tests.support import towers

pytestmark = pytest.mark.slow

FRAMES = 2
STAN = {"layers": 2}


@pytest.fixture(params=towers.FAMILIES)
def family(request, monkeypatch):
    """A family whose name is that of a backbone."""
    config = towers.small(monkeypatch, request.param)
    monkeypatch.setattr(backbones, "_architecture", lambda _: config)
    return request.param


class Attending(torch.nn.Module):
    """A block's attention over a CLS token and the patches."""

    def __init__(self, block: Block, grid: tuple[int, int]):
        super().__init__()
        self.block = IntraFrame(block, 0.0, grid[0] * grid[1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return attend(self.block.block.attn, x, places=self.block.places)


def counted(tower: torch.nn.Module, images: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        tower(images)
    return counter.get_total_flops() // 2


def test_a_tower_costs_what_open_clips_costs_and_the_parts_add_up(family):
    with torch.device("meta"):
        theirs = backbones.image_tower(family).eval()
        size = backbones.load_clip(family, "random").image_size
        alone = counted(theirs, torch.empty(FRAMES, 3, size, size))
    found = flops.of_model(ModelConfig(family, options=STAN), FRAMES)
    parts = found["parts"]
    assert parts["clip"]["all"] == pytest.approx(alone / 1e9)
    for convention in ("linear", "all"):
        whole = sum(part[convention] for name, part in parts.items() if name != "text")
        assert found[f"gmacs_{convention}"] == pytest.approx(whole)
    assert all(0 <= part["linear"] <= part["all"] for part in parts.values())
    assert min(parts[name]["all"] for name in ("intra_frame", "cross_frame", "text")) > 0
    assert parts["clip"]["all"] < found["gmacs_run"] <= found["gmacs_all"]
    plain = flops.of_model(ModelConfig(family, temporal="mean"), FRAMES)
    assert plain["gmacs_run"] == pytest.approx(alone / 1e9) and plain["params_added"] == 0
    assert found["params"] == plain["params"] + found["params_added"]


def test_the_branch_by_hand(family):
    """Of a layer over P patches D wide: over time 5 matrices D x D; within frames a copy of the tower's own block."""
    with torch.device("meta"):
        clip = backbones.load_clip(family, "random").eval()
        x = torch.empty(FRAMES, 1 + clip.patches, clip.width)
        block = clip.blocks[-1]
        if clip.has_parts:  # the MLP sees one CLS token a video
            attention = counted(Attending(block, clip.grid), x)
            mlp = counted(block.mlp, x[:1, :1]) + FRAMES * counted(block.mlp, x[:1, 1:])
            expected = 2 * (attention + mlp)
        else:
            expected = 2 * counted(block, x[:, 1:])
    parts = flops.of_model(ModelConfig(family, options=STAN), FRAMES)["parts"]
    over_time = 2 * FRAMES * clip.patches * 5 * clip.width**2
    assert parts["cross_frame"]["linear"] == pytest.approx(over_time / 1e9)
    assert parts["intra_frame"]["all"] == pytest.approx(expected / 1e9)


def test_both_towers_that_are_timed_have_the_same_weights(family):
    pair = encoders(ModelConfig(family, pretrained="random", options=STAN), FRAMES)
    images = pair.clips(1)[0]
    with torch.no_grad():
        expected = pair.tower(images)
        found = pair.model.clip.encode_image(images)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    assert pair.gmacs["tower"] < pair.gmacs["stan"]
    assert type(pair.tower) is type(backbones.image_tower(family)), "open_clip's own, not the wrapper"
    assert type(image_tower(pair.tower)) is type(pair.model.clip.visual)
