"""A model in; a folder with its graphs as ONNX files and all that is needed to use them without this package out."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stan.common.files import new_folder, write_json
from stan.models.checkpoint import digest
from stan.models.clip import Clip
from stan.models.dual_encoder import DualEncoder
from stan.models.graphs import OPEN, Graph, Runs, examples, flow, parts_of, trace
from stan.models.similarity.cosine import Cosine
from stan.models.tokenizer import described

DESCRIPTION = "model.json"
"""Name of the file that says how the graphs are used."""
TOLERANCE = 1e-4
"""Largest difference between a graph's output and the model's, as a share of the output's largest value."""
SAMPLING = (
    "the frame that is shown in the middle of each of `count` equal spans of the video; of a video with a constant"
    " frame rate and N frames, frame (a + b) // 2 where span i has frames a = i * N // count to"
    " b = max(a, (i + 1) * N // count - 1)"
)
OPSET = 20
"""Version of ONNX's operators."""
PACKAGES = ("stan-video", "torch", "onnx", "onnxscript", "onnxruntime", "open_clip_torch")
EXAMPLE = "a red circle moves to the left"


def write(name: str, model: DualEncoder, folder: Path, pt2: bool = False) -> dict[str, Any]:
    """Write `video.onnx`, `text.onnx`, perhaps `scores.onnx` (see `stan.models.graphs`), and `model.json`.

    Every file is first compared with the model, in onnxruntime, on other numbers of videos, frames and texts than its
    graph was traced with. pt2: also keep what the files were made of, the programs of `torch.export`.

    Returns what is in `model.json`. Raises ValueError if the folder is there already, for a model that is no graph or
    whose graph computes something else, and ModuleNotFoundError without the packages of the extra `onnx`; then nothing
    is written.
    """
    import onnxruntime  # noqa: F401  # before the work of tracing

    with new_folder(folder) as part, _one_line(name):
        graphs, files = trace(model), {}
        for file, graph in graphs.items():
            save(graph, part / f"{file}.onnx")
            files[file] = OnnxFile(part / f"{file}.onnx", graph.inputs, graph.outputs)
            if pt2:
                torch.export.save(graph.program, part / f"{file}.pt2")
        document = _described(name, model, graphs["video"].most_frames) | {
            "graphs": {file: one.interface for file, one in files.items()},
            "parity": parity(model, files),
        }
        write_json(part / DESCRIPTION, document)
    return document


@contextmanager
def _one_line(name: str) -> Generator[None]:
    """Turn what torch, onnxscript and onnxruntime raise into a ValueError: a dozen unrelated types."""
    try:
        yield
    except (ValueError, ImportError, OSError):
        raise
    except Exception as error:
        # the rest is about the exporter, in colours
        said = re.split(r"\.\s|\n|\x1b", str(error), maxsplit=1)[0]
        raise ValueError(
            f"{name} cannot be written as ONNX ({type(error).__name__}: {said}): a part of it is no graph that they"
            " know; its weights can be exported (--out)"
        ) from error


def save(graph: Graph, file: Path) -> None:
    """Write a graph as an ONNX file; weights of more than 2 GB lie beside it."""
    logging.getLogger("onnxscript").setLevel(logging.ERROR)  # it tells of every constant that it leaves
    with warnings.catch_warnings(action="ignore"):  # what the exporter says of its own code
        exported = torch.onnx.export(
            graph.program,
            input_names=graph.inputs,
            output_names=graph.outputs,
            dynamic_shapes={name: dict(enumerate(OPEN[name])) for name in graph.inputs},
            opset_version=OPSET,
            verbose=False,
        )
    assert exported is not None, "so it is without a file's name"
    exported.save(file)


class OnnxFile:
    """An ONNX file as a `Runs`, on the CPU."""

    def __init__(self, file: Path, inputs: tuple[str, ...], outputs: tuple[str, ...]):
        from onnxruntime import InferenceSession

        self.name, self.inputs, self.outputs = file.name, inputs, outputs
        self.session = InferenceSession(file, providers=["CPUExecutionProvider"])

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]:
        arrays = dict(zip(self.inputs, (tensor.numpy() for tensor in given), strict=True))
        return tuple(map(torch.from_numpy, self.session.run(list(self.outputs), arrays)))

    @property
    def interface(self) -> dict[str, Any]:
        """The file's name, and the type and shape of each input and output; open dimensions are names."""
        both = {"inputs": self.session.get_inputs(), "outputs": self.session.get_outputs()}
        told = {
            side: {one.name: {"type": one.type, "shape": one.shape} for one in both[side]} for side in both
        }
        return {"file": self.name} | told


def parity(model: DualEncoder, files: Mapping[str, Runs]) -> dict[str, float]:
    """Return how far each output is from the model's, as a share of its largest value.

    Raises ValueError if it is further than `TOLERANCE`.
    """
    given = examples(model, videos=3, frames=max(1, model.frames - 1), texts=1)
    ours, theirs = flow(parts_of(model), given), flow(files, given)
    found = {name: _distance(theirs[name], ours[name]) for file in files.values() for name in file.outputs}
    if off := {name: share for name, share in found.items() if not share <= TOLERANCE}:
        raise ValueError(f"the graphs of this model compute something else ({off}): nothing was written")
    return found


def _distance(found: Tensor, expected: Tensor) -> float:
    if not expected.numel():
        return 0.0
    expected = expected.float()
    return float((found.float() - expected).abs().max() / expected.abs().max())


def _described(name: str, model: DualEncoder, most_frames: int | None) -> dict[str, Any]:
    clip, bias = model.clip, model.logit_bias
    return {
        "model": name,
        "weights": digest(model.state_dict(), clip.unlike_openai),
        "packages": {package: version(package) for package in PACKAGES},
        "opset": OPSET,
        "pixels": {"order": "RGB", "range": [0, 1], **asdict(clip.pixels)},
        "frames": {"count": model.frames, "most": most_frames, "sampling": SAMPLING},
        "texts": _texts(clip),
        "score": {
            "of": "inner product of video and text" if isinstance(model.score, Cosine) else "scores.onnx",
            "logit_scale": model.logit_scale.exp().item(),
            "logit_bias": None if bias is None or not model.judges_pairs else bias.item(),
            "temperature": model.temperature,
        },
    }


def _texts(clip: Clip) -> dict[str, Any]:
    told = {"length": clip.context_length, "tokenizer": described(clip.tokenizer)}
    if clip.tokenizer is None:
        return told
    return told | {"example": {"text": EXAMPLE, "ids": clip.tokenize(EXAMPLE)[0].tolist()}}
