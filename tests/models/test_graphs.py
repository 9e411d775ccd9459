"""Which models become graphs, that the graphs compute what the models do, and why others are none."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stan.common.paths import ASSETS
from stan.models import onnx_files
from stan.models.backbones import from_config
from stan.models.dual_encoder import DualEncoder
from stan.models.graphs import Graph, examples, flow, parts_of
from stan.models.similarity import SIMILARITIES
from stan.models.temporal import METHODS, build
from tests.support.moved_weights import moved
from tests.support.towers import clip_of

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX's packages are the optional extra `onnx`")
pytest.importorskip("onnxscript")

FRAMES = 4
MOST_FRAMES = {
    "mean": None,
    "sequence_transformer": 77,
    "stan": 64,
    "temporal_difference": 77,
    "actionclip": 77,
    "actionclip_shift": None,
    "efficient_prompting": FRAMES,
    "factorised_encoder": 77,
    "vtn": 286,
    "x_clip": FRAMES,
    "st_adapter": None,
    "aim": FRAMES,
    "center_clip": "moves centres until none changes",
    "divided_space_time": FRAMES,
    "joint_space_time": FRAMES,
    "frozen_in_time": FRAMES,
    "trajectory_attention": FRAMES,
    "clip_vip": FRAMES,
    "neighbour_attention": None,
    "token_roll": None,
    "token_learner": FRAMES,
    "temporal_shift": None,
    "evl": FRAMES,
    "uniformer_v2": None,
}
"""Of each method, how many frames its graph takes at most (None: any number), or why it has none."""
OWN_WORDS = {"mean", "efficient_prompting"}
"""Methods that say what the text tower reads; the others leave it to the first."""
SETTINGS = {
    name: {"layers": 1} for name in ("sequence_transformer", "temporal_difference", "actionclip", "vtn")
}
SETTINGS |= {name: {"layers": 1} for name in ("efficient_prompting", "factorised_encoder")} | {
    "stan": {"layers": 2},
    "evl": {"layers": 1},
    "uniformer_v2": {"layers": 1, "convolutions": 2},
}

SCORES = {
    "tight_transformer": {"layers": 1},
    "text_conditioned_pooling": {},
    "concept_spotting": {},
    "temporal_alignment": {},
    "token_interaction": {},
    "mug_simple": {},
    "mug_full": {},
    "video_prompts": {"reads": "patches"},
}
"""Similarities with a graph of their own, and their options. `cosine` needs none."""
REFUSED = {
    "linear_classifier": ("mean", {}, "linear_classifier", {"classes": 3}, "classes of its own, and reads no text"),
    "shuffled": ("token_roll", {"shuffled": True}, "cosine", {}, "draws an order of the patches anew"),
}  # fmt: skip
CAPTIONS = ["a red circle", "two stars move to the left", "a square"]


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    config = json.loads((ASSETS / "models" / "tiny_clip.json").read_text())
    for tower, layers in (("vision_cfg", 2), ("text_cfg", 1)):
        config[tower]["layers"] = layers
    return from_config(config).eval()


def model_of(clip, name: str, similarity: str = "cosine", options: dict | None = None) -> DualEncoder:
    torch.manual_seed(1)
    model = DualEncoder(clip, build(name, clip, FRAMES, SETTINGS.get(name)), similarity, options).eval()
    moved(model.temporal)
    return model


def session(graph: Graph, file) -> onnxruntime.InferenceSession:
    onnx_files.save(graph, file)
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def assert_alike(found: np.ndarray, expected: torch.Tensor) -> None:
    assert found.shape == tuple(expected.shape)
    assert np.abs(found - expected.numpy()).max() <= 1e-4 * expected.abs().max()


def test_the_tables_name_every_method_and_similarity():
    assert MOST_FRAMES.keys() == METHODS.keys()
    assert {*SCORES, "cosine", "linear_classifier"} == SIMILARITIES.keys()
    own_words = {name for name, method in METHODS.items() if "text_tokens" in vars(method)}
    assert own_words == OWN_WORDS


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("name", [name for name, most in MOST_FRAMES.items() if not isinstance(most, str)])
def test_a_video_becomes_the_same_vector_in_onnxruntime(clip, tmp_path, name):
    model = model_of(clip, name)
    graph = Graph.of(parts_of(model)["video"], examples(model, 2, FRAMES, 2))
    assert graph.most_frames == MOST_FRAMES[name]
    ran, program = session(graph, tmp_path / "video.onnx"), graph.program.module()
    assert ran.get_inputs()[0].shape == ["videos", "frames", 3, 48, 48]
    for videos, frames in ((1, 1), (3, FRAMES), (2, 3), (1, MOST_FRAMES[name] or 9)):
        pixels = torch.randn(videos, min(frames, 12), 3, 48, 48)
        expected = F.normalize(model.encode_video(pixels).video, dim=-1)
        assert_alike(ran.run(["video"], {"pixels": pixels.numpy()})[0], expected)
        assert_alike(program(pixels)[0].numpy(), expected)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("family", ["EVA02", "FastViT"])
def test_towers_of_other_families_become_graphs(tmp_path, family):
    clip = clip_of(family)
    model = DualEncoder(clip, build("stan", clip, FRAMES, {"layers": 2})).eval()
    ran = session(Graph.of(parts_of(model)["video"], examples(model, 2, FRAMES, 2)), tmp_path / "video.onnx")
    pixels = torch.randn(3, 3, 3, clip.image_size, clip.image_size)
    expected = F.normalize(model.encode_video(pixels).video, dim=-1)
    assert_alike(ran.run(["video"], {"pixels": pixels.numpy()})[0], expected)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("name", sorted(OWN_WORDS))
def test_a_text_becomes_the_same_vector_in_onnxruntime(clip, tmp_path, name):
    model = model_of(clip, name)
    ran = session(Graph.of(parts_of(model)["text"], examples(model, 2, FRAMES, 2)), tmp_path / "text.onnx")
    assert ran.get_inputs()[0].shape == ["texts", 77]
    for texts in (CAPTIONS, CAPTIONS[:1]):
        expected = F.normalize(model.encode_text(texts).text, dim=-1)
        assert_alike(ran.run(["text"], {"ids": clip.tokenize(texts).numpy()})[0], expected)


@pytest.mark.slow
@torch.no_grad()
def test_a_text_tower_of_siglips_kind_becomes_a_graph(tmp_path):
    config = json.loads((ASSETS / "models" / "tiny_siglip.json").read_text())
    clip = from_config(config | {"text_cfg": config["text_cfg"] | {"layers": 1}}).eval()
    model = DualEncoder(clip, build("mean", clip, FRAMES)).eval()
    ran = session(Graph.of(parts_of(model)["text"], examples(model, 2, FRAMES, 2)), tmp_path / "text.onnx")
    expected = F.normalize(model.encode_text(CAPTIONS).text, dim=-1)
    assert_alike(ran.run(["text"], {"ids": clip.tokenize(CAPTIONS).numpy()})[0], expected)


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("name", SCORES)
def test_sequences_get_the_same_scores_in_onnxruntime(clip, tmp_path, name):
    model = model_of(clip, "mean", name, SCORES[name])
    moved(model.score)
    parts = parts_of(model)
    graph = Graph.of(parts["scores"], flow(parts, examples(model, 2, FRAMES, 2)))
    ran = session(graph, tmp_path / "scores.onnx")
    for videos, frames, texts in ((1, 1, CAPTIONS), (3, FRAMES, CAPTIONS[:2]), (2, 3, CAPTIONS[:1])):
        pixels = torch.randn(videos, frames, 3, 48, 48)
        known = flow(parts, {"pixels": pixels, "ids": clip.tokenize(texts)})
        given = {one.name: known[one.name].numpy() for one in ran.get_inputs()}
        expected = model.similarity(model.encode_text(texts), model.encode_video(pixels))
        assert_alike(ran.run(["scores"], given)[0], expected)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_graph_is_refused_with_its_reason(clip, tmp_path, name):
    temporal, options, similarity, of_score, reason = REFUSED[name]
    model = DualEncoder(clip, build(temporal, clip, FRAMES, options), similarity, of_score)
    with pytest.raises(ValueError, match=reason):
        onnx_files.write("named", model, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [name for name, most in MOST_FRAMES.items() if isinstance(most, str)])
def test_a_method_that_is_no_graph_is_refused_with_its_reason(clip, name):
    with pytest.raises(ValueError, match=f"{name} {MOST_FRAMES[name]}"):
        parts_of(model_of(clip, name))
