"""A preset's name, a run's folder or a checkpoint in, a model ready for inference out; also saves models to files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from stan.common.errors import about
from stan.common.files import read_settings
from stan.common.json_values import require
from stan.common.paths import ASSETS
from stan.config import Experiment, ModelConfig, from_dict, to_dict
from stan.data.preprocessing import PixelSettings
from stan.models import checkpoint, clip_names, hub, weight_interpolation
from stan.models.backbones import SHIPPED, shipped_weights
from stan.models.checkpoint import CHECKPOINT, Saved, digest, same_weights
from stan.models.convert import assemble, load_released, named_clip
from stan.models.dual_encoder import DualEncoder, build
from stan.models.vocabulary import thinned

SCALE = "encoder.clip.logit_scale"
STAN_TINY_WEIGHTS = ASSETS / "weights" / "stan_tiny.safetensors"


def _stan(backbone: str, **options: Any) -> tuple[ModelConfig, int]:
    return ModelConfig(backbone, "openai", "stan", options), 12


PRESETS: dict[str, tuple[ModelConfig, int]] = {
    "clip-tiny": (ModelConfig(temporal="mean"), 8),
    "clip-b32": (ModelConfig("ViT-B-32", "openai", "mean"), 12),
    "clip-b16": (ModelConfig("ViT-B-16", "openai", "mean"), 12),
    "stan-self-b32": _stan("ViT-B-32"),
    "stan-self-b16": _stan("ViT-B-16"),
    "stan-self-b16-k6": _stan("ViT-B-16", layers=6),
    "stan-self-l14": _stan("ViT-L-14"),
    "stan-conv-b16": _stan("ViT-B-16", cross_frame="convolution", convolution="bottleneck"),
    "stan-conv-b16-k6": _stan("ViT-B-16", cross_frame="convolution", convolution="bottleneck", layers=6),
    "stan-conv-dense-b16": _stan("ViT-B-16", cross_frame="convolution", convolution="dense"),
}
"""Each preset's model config and number of frames. The branches of `stan-self-*` and `stan-conv-*` are untrained;
`stan-tiny` is not listed here because it is a trained checkpoint."""


def load_model(name: str | Path, pretrained: str | None = None) -> DualEncoder:
    """Return a model by name, in evaluation mode.

    name: `stan-tiny` (trained, shipped), one of `PRESETS`, a bare CLIP (`clip:ViT-B-16-SigLIP2/webli`, see
        `stan.models.clip_names`), a run's folder, a checkpoint, or a model on Hugging Face's hub (`hf:USER/NAME`,
        `hf:USER/NAME@REVISION`). A checkpoint may come from a run, be converted, or be in the layout of the released
        STAN or of a CLIP.
    pretrained: other weights for a preset's CLIP (see `load_clip`).

    Raises ValueError for a name that is none of these and for weights that cannot be fetched or loaded.
    """
    if not isinstance(name, str | Path):
        raise ValueError(
            f"{name!r:.80} names no model: give text or a Path, such as 'stan-tiny' or a run's folder"
        )
    if name in PRESETS or str(name).startswith(clip_names.PREFIX):
        config, frames = PRESETS.get(str(name)) or bare_clip(str(name))
        return build(replace(config, pretrained=pretrained or config.pretrained), frames).eval()
    if pretrained is not None:
        raise ValueError(
            f"{name} brings its own weights: pretrained= is for the presets {', '.join(PRESETS)} and for clip:NAME"
        )
    return _from_file(weights_file(name))


def bare_clip(name: str) -> tuple[ModelConfig, int]:
    """Return the config and the number of frames of a CLIP without training: the mean over frames."""
    backbone, weights = clip_names.split(name)
    return ModelConfig(backbone, weights, "mean"), 12


def save_model(path: str | Path, model: DualEncoder, experiment: Experiment) -> None:
    """Write the tensors that training could change, and the experiment, so that `load_model` can rebuild the model.

    CLIP's frozen parameters but its logit scale are left out and later read from the backbone again, unless the
    backbone is random.
    """
    kept, left_out = _split(model, experiment.model.pretrained == "random")
    metadata = {"experiment": to_dict(experiment), "backbone": digest(left_out)}
    checkpoint.save(path, kept, metadata | {"pixels": model.clip.pixels.saved})


def export(
    name: str | Path,
    path: str | Path,
    temperature: float | None = None,
    clip_share: float = 0.0,
    clip: str | None = None,
) -> None:
    """Write the weights of a run or a checkpoint in half precision; `stan-tiny` was made this way.

    For a model on the shipped tiny CLIP, the rows of words that it never read are left out (`stan.models.vocabulary`).
    temperature: saved with the weights, as fitted by `stan.evaluation.calibration`; None keeps the file's temperature.
    clip_share: share of CLIP's own weights (`stan.models.weight_interpolation`). With one, a temperature that the file
    holds is left out, because it was fitted to other weights. clip: whose weights these are, as `convert` names a CLIP;
    None: those that a run started from.

    Raises ValueError if there are no weights, and for a share that can't be taken.
    """
    source = weights_file(name)
    state, metadata = checkpoint.load(source)
    if clip_share:
        state = _moved_back(source, state, metadata, clip_share, clip)
        metadata.pop("temperature", None)
        metadata["clip_share"] = 1 - (1 - metadata.get("clip_share", 0.0)) * (1 - clip_share)
    if temperature is not None:
        metadata["temperature"] = temperature
    half = {key: tensor.half() for key, tensor in state.items()}
    on: dict[str, Any] = metadata.get("experiment", {}).get("model", {})
    if on.get("backbone") in SHIPPED and on.get("pretrained") is None:
        words = checkpoint.kept_words(shipped_weights(on["backbone"]))
        assert words is not None, "the shipped weights keep only some words"
        half = thinned(half, words)
    checkpoint.save(path, half, metadata)


def _moved_back(
    source: Path, state: dict[str, Tensor], metadata: dict[str, Any], share: float, clip: str | None
) -> dict[str, Tensor]:
    if clip is not None:
        start = {key.removeprefix("clip."): tensor for key, tensor in named_clip(clip)[1].items()}
    elif "experiment" in metadata:
        start = dict(weight_interpolation.started_from(from_dict(metadata["experiment"])).named_parameters())
    else:
        raise ValueError(
            f"{source} doesn't tell which CLIP it was trained from: name it, such as --clip ViT-B-16:openai"
        )
    try:
        return weight_interpolation.between(state, start, share)
    except ValueError as error:
        raise ValueError(about(source, error)) from None


def _split(model: DualEncoder, everything: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    frozen -= {SCALE}  # a recipe sets it, so it may not be the backbone's own any more
    kept, left_out = {}, {}
    for name, tensor in model.state_dict().items():
        of_backbone = name in frozen and name.startswith("encoder.clip.") and not everything
        (left_out if of_backbone else kept)[name] = tensor
    return kept, left_out


def weights_file(name: str | Path) -> Path:
    """Return the file with the weights of a run, a checkpoint, `stan-tiny` or a model on the hub, which is fetched.

    Raises ValueError if there is none.
    """
    if str(name).startswith(hub.PREFIX):
        return hub.fetched(str(name), CHECKPOINT)
    path = STAN_TINY_WEIGHTS if name == "stan-tiny" else Path(name)
    path = _with_weights(path) / CHECKPOINT if os.path.isdir(path) else path
    if not os.path.isfile(path):  # unlike Path.is_file, it takes a name that is longer than the system's
        names = ", ".join(["stan-tiny", *PRESETS])
        raise ValueError(
            f"no model {str(name)!r} ({path} is missing): name a preset ({names}), a CLIP (clip:ARCHITECTURE/TAG, see"
            " `stan backbones`), a run, a checkpoint or a model on the hub (hf:USER/NAME)"
        )
    return path


def _with_weights(run: Path) -> Path:
    """Return the run itself or, if it took its numbers over from another run, that run: it keeps the weights."""
    record = run / "run.json"
    source = read_settings(record).get("same_as") if record.is_file() else None
    require(f"{record}: same_as", source, "str | None")
    return run.resolve().parents[2] / source if source else run


def _from_file(path: Path) -> DualEncoder:
    state, metadata = checkpoint.load(path) if path.suffix == ".safetensors" else ({}, {})
    try:
        return _described(path, state, metadata)
    except ValueError as error:
        raise ValueError(about(path, error)) from error
    except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(
            f"{path}: its metadata describes no model ({error!r}): fetch the file again, or write it again"
        ) from error


def _described(path: Path, state: dict[str, Tensor], metadata: dict[str, Any]) -> DualEncoder:
    """Return the model that a file's metadata describes, with the file's tensors."""
    if "converted" in metadata:
        whole = {
            name if name.startswith(("encoder.", "score.")) else f"encoder.clip.{name}": t
            for name, t in state.items()
        }
        return assemble(metadata["converted"], whole, path)
    if "experiment" not in metadata:
        return load_released(path)
    experiment = from_dict(metadata["experiment"])
    model = build(experiment.model, experiment.data.frames)
    ours = model.state_dict()
    left_out = {name: tensor for name, tensor in ours.items() if name not in state}
    checkpoint.fill(model, state, path, optional="encoder.clip.")
    if not same_weights(metadata["backbone"], digest(left_out)):
        backbone = experiment.model.backbone
        raise ValueError(
            f"{path} was trained on other weights of {backbone} than those at hand: train it again"
        )
    model.saved = Saved(frozenset(state), metadata)
    model.temperature = metadata.get("temperature")
    model.judges_pairs &= experiment.train.loss == "sigmoid"
    clip = model.clip
    trained_on = metadata.get("pixels", clip.pixels.saved[:2])  # before, only mean and std were a tag's own
    clip.pixels = replace(PixelSettings(*trained_on), size=clip.image_size)
    return model.eval()
