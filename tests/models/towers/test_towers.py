"""Every family of open_clip's image towers: the wrapper is open_clip's own, and says what the tower has."""

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F

from stan.models.attention import attention_weights, own_places
from stan.models.backbones import from_config
from stan.models.clip import Clip
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal import METHODS, build
from stan.models.temporal.stan_layer import IntraFrame, IntraFrameMap
from stan.models.towers import image_tower
from stan.models.video_encoder import VideoEncoder
from stan.training.compile import compile_blocks
from tests.support import towers
from tests.support.moved_weights import moved

FRAMES = 3
VARIED = [
    "class token",
    "mean",
    "EVA02",
    "EVA02 post-norm",
    "SigLIP",
    "Perception Encoder",
    "relative positions",
    "register",
    "averaging",
    "FastViT",
    "ConvNeXt",
]
"""Families that between them have everything a method could stumble over."""
STANDS_FOR_A_FRAME = {
    "mean": "mean",
    "mean of normalised": "mean",
    "SigLIP": "pooling",
    "Perception Encoder G": "pooling",
    "ViTamin": "mean",
    "ViTamin XL": "mean",
    "no class token": "pooling",
} | dict.fromkeys(towers.STAGED, "mean")
"""What the branch takes as its CLS token where it isn't token 0."""


@pytest.fixture(scope="module", params=towers.FAMILIES)
def pair(request):
    """open_clip's own tower, and the wrapper with the same weights."""
    with pytest.MonkeyPatch.context() as patch:
        theirs = towers.theirs(patch, request.param).visual
    return request.param, theirs, image_tower(deepcopy(theirs)).eval()


@pytest.fixture(scope="module", params=VARIED)
def varied(request):
    return request.param, towers.clip_of(request.param)


@pytest.fixture(scope="module", params=towers.FAMILIES)
def every(request):
    return towers.clip_of(request.param)


def images_for(tower, *shape: int) -> torch.Tensor:
    return torch.randn(
        *shape, 3, tower.image_size, tower.image_size, generator=torch.Generator().manual_seed(1)
    )


def assert_close(found: torch.Tensor, wanted: torch.Tensor, share: float = 1e-5) -> None:
    """Assert that no number differs by more than this share of the largest."""
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() <= share * wanted.abs().max()


@torch.no_grad()
def test_embeddings_are_those_of_open_clip(pair):
    _, theirs, ours = pair
    images = images_for(ours, 2)
    assert_close(ours(images), theirs(images))


def test_gradients_of_pictures_are_those_of_open_clip(pair):
    _, theirs, ours = pair
    gradients = []
    for tower in (theirs, ours):
        images = images_for(ours, 2).requires_grad_()
        tower(images).square().sum().backward()
        gradients.append(images.grad)
    assert_close(gradients[1], gradients[0], 1e-4)


def test_the_projection_is_what_is_left_out_before_it(every):
    tower = every.visual
    pooled = torch.randn(2, tower.pooled_width, requires_grad=True)
    parameters = dict(tower.named_parameters())

    def read_by(of) -> set[str]:
        gradients = torch.autograd.grad(of(pooled).sum(), list(parameters.values()), allow_unused=True)
        return {name for name, gradient in zip(parameters, gradients, strict=True) if gradient is not None}

    own = {id(p) for p in tower.projection()}
    named = {name for name, p in parameters.items() if id(p) in own}
    assert named == read_by(tower.project) - read_by(tower.normalise)


@torch.no_grad()
def test_training_drops_nothing_at_random_and_keeps_statistics(pair):
    _, _, ours = pair
    images = images_for(ours, 2)
    expected = ours(images)
    found = ours.train()(images)
    ours.eval()
    torch.testing.assert_close(found, expected, atol=0, rtol=0)
    torch.testing.assert_close(ours(images), expected, atol=0, rtol=0)


@torch.no_grad()
def test_what_stands_for_a_frame(pair):
    family, _, tower = pair
    x = tower.start(tower.tokens(images_for(tower, 2)))
    assert x.shape == (2, tower.prefix + tower.grid[0] * tower.grid[1], tower.width)
    kind = STANDS_FOR_A_FRAME.get(family, "token")
    expected = {
        "token": x[:, 0],
        "mean": tower.patches(x).mean(1),
        "pooling": tower.pool(x),
    }[kind]
    torch.testing.assert_close(tower.cls(x), expected)
    assert (kind == "token") <= (tower.prefix > 0)
    assert bool(tower.cls_start) == (tower.prefix > 0)


@torch.no_grad()
def test_tokens_start_with_the_sum_of_their_terms(pair):
    _, _, tower = pair
    x = tower.tokens(images_for(tower, 1))
    if tower.cls_start:
        torch.testing.assert_close(x[0, 0], sum(tower.cls_start), atol=1e-6, rtol=0)
    if tower.patch_positions is not None:
        moved_tower = deepcopy(tower)
        positions = moved_tower.patch_positions
        positions += 1
        shifted = moved_tower.tokens(images_for(tower, 1)) - x
        torch.testing.assert_close(
            tower.patches(shifted), torch.ones_like(tower.patches(x)), atol=1e-5, rtol=0
        )


@torch.no_grad()
def test_mean_of_frames_is_the_tower_itself(varied):
    _, clip = varied
    video = images_for(clip, 2, FRAMES)
    out = VideoEncoder(clip, build("mean", clip, FRAMES))(video)
    assert_close(out.frames, torch.stack([clip.encode_image(frames) for frames in video]))


def refused(family: str, clip: Clip, method: str) -> str | None:
    """Return what the refusal says, worked out by hand."""
    inside = {
        "aim",
        "st_adapter",
        "divided_space_time",
        "joint_space_time",
        "x_clip",
        "frozen_in_time",
        "trajectory_attention",
        "clip_vip",
        "neighbour_attention",
    }
    if family in towers.STAGED and method in inside | {"token_learner", "evl"}:
        return "no such parts"
    if method in {"frozen_in_time", "clip_vip"} and clip.prefix != 1:
        return "shares one CLS token"
    if method in {"center_clip", "token_learner", "frozen_in_time", "clip_vip"} and (
        family in towers.PLACED or family in towers.STAGED
    ):
        return "where each token lies"
    return None


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_method_works_or_says_why_not(varied, method):
    family, clip = varied
    options = towers.SETTINGS.get(method, {})
    if reason := refused(family, clip, method):
        with pytest.raises(ValueError, match=reason):
            build(method, clip, FRAMES, options)
        return
    torch.manual_seed(3)
    model = DualEncoder(deepcopy(clip), build(method, clip, FRAMES, options)).eval()
    moved(model.temporal)
    video = images_for(clip, 2, FRAMES)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    with torch.no_grad():
        padded, short = model.encode_video(video, mask), model.encode_video(video[:1, :2])
        kept = {i: x for i, x in model.encoder.levels(video).items() if i in model.encoder.levels_to_keep}
        from_levels = model.encoder.from_levels(kept, mask)
    assert_close(padded.video[:1], short.video)
    assert_close(from_levels.video, padded.video)
    model.encode_video(video).video.sum().backward()
    learned = [p.grad is not None and bool(p.grad.any()) for p in model.temporal.parameters()]
    assert any(learned) or not learned


@pytest.mark.parametrize("method", ["st_adapter", "aim", "divided_space_time"])
@torch.no_grad()
def test_who_starts_as_mean_pooling(varied, method):
    family, clip = varied
    if family in towers.STAGED:
        pytest.skip("its blocks have no parts")
    video = images_for(clip, 2, FRAMES)
    start = VideoEncoder(clip, build(method, clip, FRAMES))(video).video
    assert_close(start, VideoEncoder(clip, build("mean", clip, FRAMES))(video).video)


@torch.no_grad()
def test_one_frame_alone_is_a_joint_sequence_of_its_own(varied):
    family, clip = varied
    if family in towers.STAGED:
        pytest.skip("its blocks have no parts")
    video = images_for(clip, 2, 1)
    joint = VideoEncoder(clip, build("joint_space_time", clip, 1))(video).video
    assert_close(joint, VideoEncoder(clip, build("mean", clip, 1))(video).video)


@pytest.mark.parametrize("family", [*towers.PLACED, "SigLIP"])
@torch.no_grad()
def test_the_branchs_patches_see_each_other_as_in_the_tower(family):
    """Its CLS token lies at no place; among patches, weights are the tower's but for what the CLS token takes."""
    clip = towers.clip_of(family)
    layer = build("stan", clip, FRAMES, {"layers": 1}).layers[0]
    assert isinstance(layer.intra_frame, IntraFrame)
    attention = clip.blocks[-1].attn
    assert (own_places(attention) is None) == (family == "SigLIP")
    x = torch.randn(2, clip.tokens_per_frame, clip.width)
    own = attention_weights(attention, x)[:, :, clip.prefix :, clip.prefix :]
    cls, patches = torch.randn(2, 1, clip.width), clip.visual.patches(x)
    branch = attention_weights(
        layer.intra_frame.block.attn, torch.cat([cls, patches], 1), places=layer.intra_frame.places
    )
    branch = branch[:, :, 1:, 1:]
    torch.testing.assert_close(branch / branch.sum(-1, keepdim=True), own / own.sum(-1, keepdim=True))


@torch.no_grad()
def test_a_branch_on_blocks_without_parts():
    """The mean of what a block adds to the patches is what it adds to the CLS token."""
    clip = towers.clip_of("ConvNeXt")
    layer = build("stan", clip, FRAMES, {"layers": 1, "cross_frame": "none"}).layers[0].eval()
    assert isinstance(layer.intra_frame, IntraFrameMap)
    cls, patches = torch.randn(1, 1, clip.width), torch.randn(1, FRAMES, clip.patches, clip.width)
    found_cls, found = layer(cls, patches, None)
    maps = patches[0].unflatten(1, clip.grid).permute(0, 3, 1, 2)
    expected = clip.blocks[-1].block(maps).permute(0, 2, 3, 1).flatten(1, 2)
    torch.testing.assert_close(found[0], expected)
    torch.testing.assert_close(
        found_cls[0, 0], cls[0, 0] + (expected - patches[0]).mean((0, 1)), atol=1e-5, rtol=1e-5
    )


@torch.no_grad()
def test_a_tower_that_averages_forgets_where_things_are():
    """Its patches are alike from the seventh level on; for OpenAI's kind of tower, they differ at the last one."""
    alike = []
    for family in ("averaging", "class token"):
        clip = towers.clip_of(family)
        levels = VideoEncoder(clip, build("mean", clip, 1)).levels(images_for(clip, 1, 1))
        patches = [clip.visual.patches(levels[i]) for i in range(clip.layers)]
        alike.append([bool(torch.allclose(x, x[:, :, :1].expand_as(x), atol=1e-5)) for x in patches])
    assert alike == [[False] * 6 + [True] * 3, [False] * 3]


@pytest.mark.slow
@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
@torch.no_grad()
def test_half_precision(every, precision):
    model = DualEncoder(every, build("stan", every, FRAMES, {"layers": 2})).eval()
    video = images_for(every, 2, FRAMES)
    with torch.autocast("cpu", precision):
        half = model.encode_video(video).video
    assert torch.isfinite(half).all()
    assert F.cosine_similarity(half.float(), model.encode_video(video).video).min() > 0.99


@pytest.mark.slow
def test_compiled_blocks_give_the_same(every):
    """Traced with gradients by torch's compiler, run as they are: the code that it would generate is torch's matter.

    One branch layer stands for all: what joins them to CLIP's levels isn't compiled, and another would be traced alike.
    """
    torch.compiler.reset()
    model = DualEncoder(deepcopy(every), build("stan", every, FRAMES, {"layers": 1})).eval()
    video = images_for(every, 1, FRAMES)
    expected = model.encode_video(video).video
    compile_blocks(model, "aot_eager")
    found = model.encode_video(video).video
    assert_close(found, expected)
    found.sum().backward()
    assert all(p.grad is not None for p in model.temporal.layers.parameters() if p.requires_grad)


def test_what_has_no_blocks_over_patches():
    layers = {"layers": [1, 1, 1, 1], "width": 8, "image_size": 32}
    config = {"embed_dim": 16, "vision_cfg": layers, "text_cfg": towers.TEXT | {"width": 16}}
    with pytest.raises(ValueError, match="residual network"):
        from_config(config)
