"""Kept levels, recomputed activations and whole blocks, on towers of several families."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from stan.models.backbones import from_config
from stan.models.clip import Clip
from stan.models.dual_encoder import DualEncoder, whole_blocks
from stan.models.level_cache import level_cache
from stan.models.temporal import build
from stan.training.activation_checkpoint import recompute
from tests.support import towers
from tests.support.moved_weights import moved

FRAMES, CLIPS = 2, 3


@pytest.fixture(scope="module", params=["SigLIP", "EVA02", "register", "ConvNeXt", "FastViT"])
def clip(request):
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        return from_config(towers.small(patch, request.param)).eval()


def model_of(clip: Clip, method: str, **options) -> DualEncoder:
    torch.manual_seed(1)
    model = DualEncoder(deepcopy(clip), build(method, clip, FRAMES, options)).eval()
    moved(model.temporal)
    return model


def video_for(clip: Clip) -> torch.Tensor:
    shape = CLIPS, FRAMES, 3, clip.image_size, clip.image_size
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def test_levels_are_kept_and_read_again(clip, tmp_path):
    """What is read from the disk is the tower's own to half precision, and gives the embeddings."""
    encoder, video = model_of(clip, "stan", layers=2).encoder, video_for(clip)
    shape = CLIPS, FRAMES
    kept = level_cache(
        tmp_path, encoder, "clips", shape, lambda: iter(video[:, None, :].flatten(0, 1).split(1))
    )
    again = level_cache(tmp_path, encoder, "clips", shape, lambda: pytest.fail("computed twice"))
    levels, own = again.rows(range(CLIPS)), encoder.levels(video)
    assert sorted(levels) == list(encoder.levels_to_keep) == sorted(kept.arrays)
    for i, level in levels.items():
        assert level.shape == (CLIPS, FRAMES, clip.tokens_per_frame, clip.width)
        torch.testing.assert_close(
            level, own[i].half().float(), atol=1e-3 * own[i].abs().max().item(), rtol=0
        )
    expected = encoder(video).video
    found = encoder.from_levels(levels).video
    assert (found - expected).abs().max() < 1e-2 * expected.abs().max()


def test_another_activation_has_levels_of_its_own(tmp_path):
    config = towers.config_of("class token")
    keys = set()
    for quick in (False, True):
        torch.manual_seed(0)
        clip = from_config(config | {"quick_gelu": quick}).eval()
        encoder = model_of(clip, "mean").encoder
        level_cache(
            tmp_path, encoder, "clips", (CLIPS, FRAMES), lambda clip=clip: iter(video_for(clip).split(1))
        )
        keys = {path.name for path in tmp_path.iterdir()}
    assert len(keys) == 2


def gradients(model: DualEncoder, video: torch.Tensor) -> dict[str, torch.Tensor]:
    model.encode_video(video).video.square().sum().backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["stan", "mean"])
def test_recomputed_activations_give_the_same_gradients(clip, method):
    options = {"layers": 2} if method == "stan" else {}
    model, video = model_of(clip, method, **options).train(), video_for(clip)
    if method == "stan":
        for layer in model.temporal.layers:  # draws of their own would differ
            layer.eval()
    again = deepcopy(model)
    recompute(again)
    expected, found = gradients(model, video), gradients(again, video)
    assert expected.keys() == found.keys() and len(expected) > 10
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, msg=name)


def test_whole_blocks_are_the_towers_and_the_branchs(clip):
    model = model_of(clip, "stan", layers=2)
    blocks = list(whole_blocks(model))
    assert all(any(block is one for one in blocks) for block in [*model.clip.blocks, *model.temporal.layers])
    called = []
    hooks = [block.register_forward_hook(lambda module, *_: called.append(id(module))) for block in blocks]
    with torch.no_grad():
        model.encode_video(video_for(clip)[:1])
        model.encode_text("a red square")
    for hook in hooks:
        hook.remove()
    assert {id(block) for block in blocks} == set(called), "each is called as a whole"
