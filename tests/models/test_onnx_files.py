"""The folder of ONNX files holds all that a search without this package needs, and is there whole or not at all."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from stan.config import ModelConfig
from stan.data.world.writer import write as write_world
from stan.library import Library
from stan.models import onnx_files
from stan.models.dual_encoder import build
from stan.models.graphs import parts_of

import open_clip  # isort: skip  # after stan.models, which prepares it

onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX's packages are the optional extra `onnx`")
pytest.importorskip("onnxscript")

QUERIES = ["a red circle", "two stars move to the left", "a striped square grows"]


class Exported:
    """What `model.json` says, done with onnxruntime, numpy and a decoder of one's own."""

    def __init__(self, folder: Path):
        self.told = json.loads((folder / "model.json").read_text())
        self.video, self.text = (
            onnxruntime.InferenceSession(folder / f"{name}.onnx") for name in ("video", "text")
        )

    def of_videos(self, paths: list[Path]) -> np.ndarray:
        pixels = [np.stack(list(map(self._prepared, self._sampled(path)))) for path in paths]
        return self.video.run(None, {"pixels": np.stack(pixels).astype(np.float32)})[0]

    def of_texts(self, texts: list[str]) -> np.ndarray:
        words = self.told["texts"]
        tokenizer = getattr(open_clip, words["tokenizer"]["name"])(
            context_length=words["length"], clean=words["tokenizer"]["clean"]
        )
        assert tokenizer([words["example"]["text"]])[0].tolist() == words["example"]["ids"]
        return self.text.run(None, {"ids": tokenizer(texts).numpy()})[0]

    def _sampled(self, path: Path) -> list[np.ndarray]:
        with av.open(str(path)) as file:
            frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
        total, count = len(frames), self.told["frames"]["count"]
        first = [i * total // count for i in range(count)]
        last = [max(a, (i + 1) * total // count - 1) for i, a in enumerate(first)]
        return [frames[(a + b) // 2] for a, b in zip(first, last, strict=True)]

    def _prepared(self, frame: np.ndarray) -> np.ndarray:
        settings = self.told["pixels"]
        assert (settings["resize_mode"], settings["order"]) == ("shortest", "RGB")
        size, picture = settings["size"], Image.fromarray(frame)
        scaled = [round(size / min(picture.size) * length) for length in picture.size]
        picture = picture.resize(scaled, Image.Resampling[settings["interpolation"].upper()])
        left, upper = ((length - size) // 2 for length in picture.size)
        square = np.asarray(picture.crop((left, upper, left + size, upper + size))) / 255
        return ((square - settings["mean"]) / settings["std"]).transpose(2, 0, 1)


@pytest.mark.slow
def test_a_search_without_the_suite_ranks_as_the_suite_does(stan, tmp_path):
    videos = write_world("retrieval", "tiny", tmp_path / "worlds") / "videos" / "test"
    library = Library(tmp_path / "library", "stan-tiny")
    library.add(videos)
    code, out, _ = stan("export", "stan-tiny", "--onnx", tmp_path / "new" / "onnx", "--pt2", "--json")
    assert code == 0 and max(json.loads(out)["parity"].values()) < 1e-5
    exported, paths = Exported(tmp_path / "new" / "onnx"), sorted(videos.iterdir())
    assert exported.told["weights"] == library.require_model().signature
    scores = exported.of_texts(QUERIES) @ exported.of_videos(paths).T
    for query, row in zip(QUERIES, scores, strict=True):
        found = library.search(query, top=len(paths))
        assert [result["name"] for result in found] == [paths[i].name for i in np.argsort(-row)]
        assert [result["score"] for result in found] == pytest.approx(sorted(row, reverse=True), abs=1e-5)
    program = torch.export.load(tmp_path / "new" / "onnx" / "text.pt2").module()
    ids = library.model.clip.tokenize(QUERIES)
    assert np.abs(program(ids)[0].detach().numpy() - exported.of_texts(QUERIES)).max() < 1e-5
    code, out, err = stan("export", "stan-tiny", "--onnx", tmp_path / "new" / "onnx")
    assert (code, out) == (2, "") and "is there already: name a new folder" in err


@pytest.mark.slow
def test_scores_of_sequences_come_with_a_third_file(tmp_path):
    model = build(ModelConfig(pretrained="random", temporal="mean", similarity="mug_simple"), frames=2)
    told = onnx_files.write("mine", model.eval(), tmp_path / "onnx")
    assert told["score"]["of"] == "scores.onnx" and (tmp_path / "onnx" / "scores.onnx").is_file()
    inputs, outputs = told["graphs"]["scores"]["inputs"], told["graphs"]["scores"]["outputs"]
    assert inputs["frames"] == {"type": "tensor(float)", "shape": ["videos", "frames", 64]}
    assert inputs["words"] == {"type": "tensor(bool)", "shape": ["texts", 77]}
    assert outputs == {"scores": {"type": "tensor(float)", "shape": ["texts", "videos"]}}
    assert told["frames"] == {"count": 2, "most": None, "sampling": onnx_files.SAMPLING}
    assert json.loads((tmp_path / "onnx" / "model.json").read_text()) == json.loads(json.dumps(told))


def test_graphs_that_compute_something_else_are_refused():
    torch.manual_seed(0)
    one, other = (build(ModelConfig(pretrained="random"), frames=2).eval() for _ in range(2))
    assert set(onnx_files.parity(one, parts_of(one)).values()) == {0.0}
    with pytest.raises(ValueError, match="compute something else"):
        onnx_files.parity(one, parts_of(other))


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(model):
        raise RuntimeError("no such operator\nand much more")

    model = build(ModelConfig(pretrained="random"), frames=2)
    monkeypatch.setattr(onnx_files, "trace", fail)
    with pytest.raises(
        ValueError, match=r"mine cannot be written as ONNX \(RuntimeError: no such operator\)"
    ):
        onnx_files.write("mine", model, tmp_path / "folder" / "onnx")
    assert not any(path.is_file() or path.suffix for path in tmp_path.rglob("*"))


@pytest.mark.parametrize(
    "given", [[], ["--out", "a", "--onnx", "b"], ["--onnx", "b", "--calibrate"], ["--out", "a", "--pt2"]]
)
def test_weights_and_graphs_are_separate_calls(stan, given):
    code, out, err = stan("export", "stan-tiny", *given)
    assert (code, out) == (2, "") and "say what to write" in err
