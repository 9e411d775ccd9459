"""Gradients of a batch: chunk by chunk those of all clips at once, whatever is compared, dropped or shared out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from stan.models.dual_encoder import DualEncoder, build
from stan.models.temporal.dropout import Dropout, DropPath, share
from stan.training.activation_checkpoint import recompute
from stan.training.chunked_backward import backward
from stan.training.objective import Objective
from stan.training.optim import freeze
from tests.support import processes
from tests.support.tiny_experiment import tiny

CAPTIONS = [
    "a red square",
    "a red square",
    "a circle",
    "two stars moving up",
    "a blue star",
    "a ring turning",
]
CLIPS = 6
KINDS = {
    "info_nce": ({}, "cosine"),
    "kl": ({"loss": "kl"}, "cosine"),
    "weighted-tokens": ({"decorrelation": 0.1}, "token_interaction"),
    "parts": ({}, "temporal_alignment"),
    "classes": ({"twins": 1.0}, "token_interaction"),
    "class-pairs": ({"loss": "kl"}, "cosine"),
    "sigmoid": ({"loss": "sigmoid", "learned_scale": True}, "cosine"),
    "class-sigmoid": ({"loss": "sigmoid", "learned_scale": True}, "cosine"),
}
"""What the recipe and the similarity are; where names begin with class, videos are compared with classes."""


def model_of(kind: str, dropping: bool, **changed: object) -> tuple[DualEncoder, object]:
    recipe, similarity = KINDS[kind]
    experiment = tiny(temporal="stan", **{"frozen": "nothing", "temperature": 0.2} | recipe | changed)
    dropped = {"drop_path": 0.5, "dropout": 0.2} if dropping else {"drop_path": 0.0}
    options = {"layers": 2} | dropped
    torch.manual_seed(0)
    model = build(replace(experiment.model, similarity=similarity, options=options), 2)
    generator = torch.Generator().manual_seed(3)
    for layer in model.temporal.layers:  # what starts at zero would hide what is dropped before it
        nn.init.normal_(layer.cross_frame.temporal_fc.weight, std=0.1, generator=generator)
    if experiment.train.loss == "sigmoid":
        model.clip.logit_bias = nn.Parameter(torch.tensor(-2.0))
    freeze(model, experiment.train)
    return model, experiment.train


def batch_of(kind: str, model: DualEncoder, levels: bool = False) -> dict:
    video = torch.randn(CLIPS, 2, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    batch = {"levels": model.encoder.levels(video)} if levels else {"video": video}
    batch |= {"text": model.clip.tokenize(CAPTIONS, 12)}
    if kind.startswith("class"):
        batch["text"] = batch["text"][1:5]
        batch |= {"label": torch.tensor([0, 2, 2, 3, 1, 0]), "twin_label": torch.tensor([1, -1, 0, 2, 3, -1])}
    return batch


@pytest.fixture(autouse=True)
def double():
    """What fabric hands on in 64 bits has torch's default type."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def gradients(
    kind: str,
    chunk: int,
    dropping: bool = False,
    levels: bool = False,
    precision: str = "64-true",
    recomputed: bool = False,
) -> tuple[Tensor, dict[str, Tensor]]:
    model, recipe = model_of(kind, dropping, **({"frozen": "vision"} if levels else {}))
    if recomputed:
        recompute(model)
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    batch = batch_of(kind, model, levels)
    objective = fabric.setup(Objective(model).train())
    loss = backward(fabric, objective, model, batch, replace(recipe, chunk=chunk), seed=7)
    return loss, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def assert_equal(found, expected, **tolerance: float) -> None:
    torch.testing.assert_close(found[0], expected[0], **tolerance)
    assert found[1].keys() == expected[1].keys() and len(expected[1]) > 20
    for name in expected[1]:
        torch.testing.assert_close(found[1][name], expected[1][name], **tolerance, msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("dropping", [False, True], ids=["whole", "dropping"])
@pytest.mark.parametrize("kind", KINDS)
def test_chunks_have_the_gradients_of_the_batch(kind, dropping):
    expected = gradients(kind, 0, dropping)
    assert_equal(gradients(kind, 4, dropping), expected, rtol=1e-9, atol=1e-12)
    assert max(grad.abs().max() for grad in expected[1].values()) > 1e-2
    assert kind != "weighted-tokens" or any(name.startswith("score.text") for name in expected[1])


@pytest.mark.slow
def test_a_clip_by_itself_and_more_chunks_than_classes():
    assert_equal(gradients("classes", 1), gradients("classes", 0), rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_chunks_of_cached_levels():
    expected = gradients("info_nce", 0, levels=True)
    assert_equal(gradients("info_nce", 2, levels=True), expected, rtol=1e-9, atol=1e-12)
    assert not any(".visual." in name for name in expected[1])


@pytest.mark.slow
def test_chunks_in_half_precision():
    """As near to the gradients of full precision as those of all clips at once."""
    torch.set_default_dtype(torch.float32)
    exact = gradients("weighted-tokens", 0, precision="32-true")[1]
    errors = []
    for chunk in (0, 2):
        found = gradients("weighted-tokens", chunk, precision="bf16-mixed")[1]
        assert found.keys() == exact.keys() and all(grad.dtype == torch.float32 for grad in found.values())
        errors.append(sum((found[name] - exact[name]).square().sum() for name in exact).sqrt())
    assert 0 < errors[1] < 1.5 * errors[0]


def test_what_is_dropped_changes_the_gradients():
    plain, dropped = gradients("info_nce", 2), gradients("info_nce", 2, dropping=True)
    assert not torch.allclose(plain[0], dropped[0])


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [0, 4])
def test_recomputing_blocks_leaves_the_gradients(chunk):
    """Also of what is dropped: it is drawn again alike."""
    expected = gradients("classes", 0, dropping=True)
    assert_equal(gradients("classes", chunk, dropping=True, recomputed=True), expected, rtol=1e-9, atol=1e-12)


def kept_bytes(recomputed: bool) -> int:
    """Of what the graph of a forward pass keeps, parameters left out, each storage once."""
    model, _ = model_of("info_nce", dropping=False)
    if recomputed:
        recompute(model)
    batch, storages = batch_of("info_nce", model), {}

    def keep(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    objective = Objective(model.double()).train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = objective(batch | {"video": batch["video"].double()})
    assert output[1].video.requires_grad
    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
    return sum(storage.nbytes() for place, storage in storages.items() if place not in parameters)


@pytest.mark.slow
def test_recomputing_blocks_keeps_a_fraction():
    plain, recomputed = kept_bytes(False), kept_bytes(True)
    assert 0 < recomputed < plain / 4


@pytest.mark.parametrize("drop", [DropPath(0.5), Dropout(0.5)], ids=["rows", "values"])
def test_a_share_drops_what_the_whole_drops_of_it(drop):
    """Four clips of three rows each."""
    x = torch.rand(12, 50) + 1
    torch.manual_seed(5)
    whole = drop.train()(x)
    for first, clips in ((0, 1), (1, 3), (2, 2)):
        torch.manual_seed(5)
        rows = slice(3 * first, 3 * (first + clips))
        with share(first, clips, 4):
            assert torch.equal(drop(x[rows]), whole[rows])
    assert 0 < (whole == 0).float().mean() < 1


def save_gradients(count: int, out: Path, kind: str, chunk: int) -> None:
    """In processes of their own: each computes those of its share of a batch, and the first writes them to `out`."""
    torch.set_default_dtype(torch.float64)
    fabric = Fabric(
        accelerator="cpu", devices=count, strategy="ddp" if count > 1 else "auto", precision="64-true"
    )
    fabric.launch()
    model, recipe = model_of(kind, dropping=True)
    batch = batch_of(kind, model)
    mine = slice(fabric.global_rank * CLIPS // count, (fabric.global_rank + 1) * CLIPS // count)
    batch = {n: rows if n == "text" and kind == "classes" else rows[mine] for n, rows in batch.items()}
    objective = fabric.setup(Objective(model).train())
    for _ in range(2):  # also after a first exchange of gradients
        loss = backward(fabric, objective, model, batch, replace(recipe, chunk=chunk), seed=7)
    if fabric.is_global_zero:
        found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        torch.save((loss, found), out)
    fabric.barrier()


def from_processes(folder: Path, count: int, kind: str, chunk: int) -> tuple[Tensor, dict[str, Tensor]]:
    out = folder / f"{count}.pt"
    processes.forked(folder, count, save_gradients, count, out, kind, chunk)
    return torch.load(out)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["weighted-tokens", "classes", "sigmoid"])
def test_two_processes_with_chunks_have_the_gradients_of_one_without(tmp_path, kind):
    one, two = (from_processes(tmp_path, count, kind, chunk) for count, chunk in ((1, 0), (2, 2)))
    assert_equal(two, one, rtol=1e-6, atol=1e-9)
