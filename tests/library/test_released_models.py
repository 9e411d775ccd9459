"""Every released layout as its user has it: converted, indexed, searched, and asked what a video shows."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import stan
from stan.library import Library
from stan.models.convert import convert
from stan.models.similarity.linear_classifier import LinearClassifier
from tests.support.small_clips import write_clip

SETS = Path(__file__).parents[1] / "golden" / "peers"
MODELS = sorted(
    folder.name for folder in SETS.iterdir() if folder.name != "mug_heads"
)  # heads alone, no model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for name, colour in {"red": (200, 0, 0), "green": (0, 200, 0)}.items():
        write_clip(folder / f"{name}.mp4", frames=12, rate=6, colour=colour)
    return folder


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_converted_model_indexes_searches_and_recognises(tmp_path, videos, name):
    convert(SETS / name / "checkpoint.safetensors", tmp_path / "model" / "checkpoint.safetensors")
    model = stan.load_model(tmp_path / "model")
    torch.manual_seed(0)  # All-in-one draws an order of patches
    library = Library(tmp_path / "library", tmp_path / "model")
    assert library.add(videos)["indexed"] == 2
    red = next(entry for entry in library.entries() if entry.name == "red.mp4")
    (found,) = library.similar(red.id)
    assert found["name"] == "green.mp4" and -1 <= found["score"] <= 1
    with pytest.raises(ValueError, match="(no vector of its own|no sentence can be read): search by example"):
        library.search("red")  # these tiny models have no tokenizer
    if isinstance(model.score, LinearClassifier):
        names = [f"class {k}" for k in range(model.score.classes)]
        told = library.recognise(videos / "red.mp4", names, top=len(names))["labels"]
        logits = model.score.fc(model.encode_video(videos / "red.mp4").video)[0]
        assert told[0]["label"] == names[int(logits.argmax())]
        expected = F.softmax(logits, dim=0).max().item()
        assert told[0]["probability"] == pytest.approx(expected, abs=1e-4)
