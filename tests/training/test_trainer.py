"""A run from settings to record: what is trained, at which rate, what fails and how, what is reused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from stan import results
from stan.config import TrainConfig, with_parts
from stan.data import label_sets
from stan.models import checkpoint
from stan.models.dual_encoder import build
from stan.results.evaluate import evaluate
from stan.training import trainer as training
from stan.training.objective import Objective, batch_loss
from stan.training.optim import freeze, parameter_groups, rate
from stan.training.trainer import check, prepare, train
from tests.support import processes
from tests.support.tiny_experiment import tiny


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("worlds")


def document(run: Path, name: str) -> dict:
    return json.loads((run / name).read_text())


def test_the_rate_rises_and_falls():
    recipe = TrainConfig(lr=1.0, warmup=0.1)
    rates = [rate(step, 100, recipe) for step in range(101)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[10] == 1 and rates[55] == pytest.approx(0.5) and rates[100] == pytest.approx(0)
    assert rate(0, 1, recipe) == 1


@pytest.mark.parametrize("frozen", ["vision", "clip", "nothing"])
def test_what_is_frozen_has_no_gradient_and_no_group(frozen):
    experiment = tiny(temporal="stan", frozen=frozen)
    model = build(experiment.model, 4)
    freeze(model, experiment.train)
    of = {"vision": model.clip.visual, "clip": model.clip.text, "nothing": model.temporal}
    trains = {name: next(part.parameters()).requires_grad for name, part in of.items()}
    assert trains == {"vision": frozen == "nothing", "clip": frozen != "clip", "nothing": True}
    groups = parameter_groups(model, experiment.train)
    grouped = [p for group in groups for p in group["params"]]
    assert {id(p) for p in grouped} == {id(p) for p in model.parameters() if p.requires_grad}
    assert len(grouped) == len({id(p) for p in grouped})
    for group in groups:
        assert (group["weight_decay"] > 0) == all(p.ndim > 1 for p in group["params"])
    new = {id(p) for p in model.temporal.parameters()}
    assert all((group["share"] == 1.0) == (id(p) in new) for group in groups for p in group["params"])
    assert model.logit_scale.exp().item() == pytest.approx(1 / experiment.train.temperature)


@pytest.mark.slow
def test_a_run_from_nothing_to_its_record(worlds, runs_root):
    seen = []
    experiment = tiny("retrieval", "sequence_transformer", epochs=2)
    run = train(experiment, runs_root, worlds, progress=lambda *what: seen.append(what))
    record, evaluation = document(run, "run.json"), document(run, "eval.json")
    assert record["status"] == "done" and record["checkpoint_hash"] and record["data_hash"]
    assert evaluation["selected"] == "best on validation" and evaluation["epoch"] in (0, 1)
    for part in ("metrics", "last"):
        assert evaluation[part]["t2v"]["N"] == evaluation[part]["v2t"]["N"] == 24
        assert evaluation[part]["seen"]["t2v"]["N"] == evaluation[part]["unseen"]["t2v"]["N"] == 12
    assert evaluation["validation"]["t2v"]["N"] == 16
    assert evaluation["lr"]["lr"] == experiment.train.lr
    log = results.history(run)
    assert log["step"].dropna().tolist() == [1, 2, 3, 4, 5, 6]
    best = max(log["validation.t2v.R@1"].dropna())
    assert evaluation["validation"]["t2v"]["R@1"] == best
    assert results.ranks(run)["t2v"].shape == (24,)
    assert ("training", 6, 6) in [what[:3] for what in seen]
    assert not (run / "resume.pt").exists()
    again, arrays = evaluate(run, worlds_root=worlds)
    assert again["metrics"] == evaluation["metrics"] and again["run"] == experiment.id
    np.testing.assert_array_equal(arrays["t2v"], results.ranks(run)["t2v"])
    assert train(experiment, runs_root, worlds, progress=lambda *what: pytest.fail("trained again")) == run


@pytest.mark.slow
def test_a_similarity_that_learns_is_kept_with_the_run(worlds, runs_root):
    experiment = with_parts(
        tiny("motions", loss="kl", decorrelation=1e-4),
        data={"templates": "actionclip"},
        model={"similarity": "token_interaction"},
    )
    run = train(experiment, runs_root, worlds)
    kept = checkpoint.load(run / "checkpoint.safetensors")[0]
    assert any(name.startswith("score.text.") for name in kept)
    again, _ = evaluate(run, worlds_root=worlds)
    assert again["metrics"] == document(run, "eval.json")["metrics"] and again["metrics"]["N"] == 24


@pytest.mark.slow
def test_tricks_and_equal_configs_reuse_the_weights(worlds, runs_root, monkeypatch):
    plain = tiny("motions", "mean")
    run = train(plain, runs_root, worlds)
    monkeypatch.setattr(training, "_fit", lambda *a: pytest.fail("trained again"))
    tricked = train(replace(plain, row="tricked", test_time=("views-1x3",)), runs_root, worlds)
    assert document(tricked, "run.json")["same_as"] == plain.id
    assert document(tricked, "run.json")["checkpoint_hash"] == document(run, "run.json")["checkpoint_hash"]
    evaluation = document(tricked, "eval.json")
    assert evaluation["test_time"] == ["views-1x3"] and "three crops" in evaluation["tricks"][0]
    assert evaluation["epoch"] == document(run, "eval.json")["epoch"]
    assert evaluation["plain"] == document(run, "eval.json")["metrics"]
    twin = train(replace(plain, row="same"), runs_root, worlds)
    assert document(twin, "run.json")["same_as"] == plain.id
    assert document(twin, "eval.json")["metrics"] == document(run, "eval.json")["metrics"]
    assert evaluate(twin, worlds_root=worlds)[0]["metrics"] == document(run, "eval.json")["metrics"]


@pytest.mark.slow
def test_dual_softmax_is_said_to_use_all_queries(worlds, runs_root):
    run = train(replace(tiny("retrieval"), test_time=("dsl",)), runs_root, worlds)
    evaluation = document(run, "eval.json")
    assert evaluation["tricks"] == ["dual softmax, temperature 100, prior over all N test queries"]
    assert "uses all test queries" in evaluation["warnings"][0]
    again, _ = evaluate(run, worlds_root=worlds)
    assert evaluation["plain"] == again["metrics"] != evaluation["metrics"]
    assert results.load(runs_root)["plain.t2v.R@1"].item() == again["metrics"]["t2v"]["R@1"]
    banked, _ = evaluate(run, test_time=("qbnorm",), worlds_root=worlds)
    assert banked["plain"] == again["metrics"] and banked["metrics"]["t2v"]["N"] == 24


@pytest.mark.slow
def test_nothing_to_train_is_only_tested(worlds, runs_root):
    run = train(tiny("motions", frozen="clip"), runs_root, worlds)
    evaluation = document(run, "eval.json")
    assert evaluation["selected"] == "nothing to train" and evaluation["epoch"] is None
    assert evaluation["metrics"]["N"] == 24 and evaluation["metrics"] == evaluation["last"]


@pytest.mark.slow
def test_full_fine_tuning_decodes_and_changes_the_tower(worlds, runs_root):
    experiment = tiny("motions", "stan", frozen="nothing")
    run = train(experiment, runs_root, worlds)
    assert document(run, "run.json")["status"] == "done" and not (runs_root / ".levels").exists()
    import stan

    torch.manual_seed(experiment.seed)
    before = build(experiment.model, 4).clip.visual.conv1.weight
    assert not torch.equal(stan.load_model(run).clip.visual.conv1.weight, before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("augmentation", "model", "recipe"),
    [
        (
            "x_clip",
            {"temporal": "x_clip", "similarity": "video_prompts"},
            {"frozen": "text", "mixup": 0.8, "cutmix": 1.0, "label_smoothing": 0.1, "clip_gradient": 0.0},
        ),
        (
            "crop+flip",
            {
                "similarity": "linear_classifier",
                "similarity_options": {"classes": label_sets.count("scenes")},
            },
            {"frozen": "clip", "optimizer": "sgd", "schedule": "steps", "chunk": 3},
        ),
        ("none", {"temporal": "mean"}, {"frozen": "nothing", "learned_scale": True, "schedule": "constant"}),
    ],
)
def test_rivals_recipes_train_and_are_tested(worlds, runs_root, augmentation, model, recipe):
    one = tiny("scenes", row=augmentation, lr=1e-3, **recipe)
    one = with_parts(one, data={"augmentation": augmentation}, model=model)
    folder = train(one, runs_root, worlds)
    again, _ = evaluate(folder, worlds_root=worlds)
    assert again["metrics"] == document(folder, "eval.json")["metrics"]
    state, _ = checkpoint.load(folder / "checkpoint.safetensors")
    scale = state["encoder.clip.logit_scale"].exp().item()
    assert (scale == pytest.approx(1 / one.train.temperature)) != one.train.learned_scale


@pytest.mark.slow
def test_a_loss_that_is_not_finite_fails_the_run(worlds, runs_root, monkeypatch):
    monkeypatch.setattr(training, "backward", lambda *a: torch.tensor(math.nan))
    with pytest.raises(ValueError, match="loss is nan at step 0 of 3: lower train.lr"):
        train(tiny(), runs_root, worlds)
    assert document(runs_root / tiny().id, "run.json")["status"] == "failed"


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_can_go_on(worlds, runs_root):
    def interrupt(stage, done, total, values):
        if (stage, done) == ("training", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(tiny(), runs_root, worlds, checkpoint_seconds=0, progress=interrupt)
    assert document(runs_root / tiny().id, "run.json")["status"] == "interrupted"
    run = train(tiny(), runs_root, worlds)
    assert document(run, "run.json")["status"] == "done"
    assert results.history(run)["step"].dropna().tolist() == [1, 2, 3]


@pytest.mark.slow
def test_prepare_leaves_nothing_to_compute(worlds, runs_root, monkeypatch):
    from stan.models import level_cache

    prepare(tiny("retrieval"), worlds, runs_root)
    monkeypatch.setattr(level_cache, "_compute", lambda *a: pytest.fail("computed again"))
    run = train(tiny("retrieval", "stan"), runs_root, worlds)
    assert document(run, "run.json")["status"] == "done"


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [0, 3])
def test_what_training_leaves_as_it_is_is_embedded_once(worlds, tmp_path, monkeypatch, chunk):
    """A method without parameters beside a frozen tower trains the text tower alone, on the same numbers as ever."""
    one, lines, metrics = tiny("motions", "token_roll", epochs=2, chunk=chunk), [], []
    for name, alike in (("once", training.embeds_alike), ("anew", lambda model: False)):
        monkeypatch.setattr(training, "embeds_alike", alike)
        run = train(one, tmp_path / name, worlds)
        lines.append(results.history(run)["loss"].dropna().tolist())
        metrics.append(document(run, "eval.json")["metrics"])
    assert lines[0] == pytest.approx(lines[1], rel=1e-5) and metrics[0] == metrics[1]


@pytest.mark.parametrize(
    ("temporal", "frozen", "alike"),
    [("token_roll", "vision", True), ("token_roll", "nothing", False), ("aim", "vision", False)],
)
def test_whose_embeddings_training_leaves_as_they_are(temporal, frozen, alike):
    one = tiny(temporal=temporal, frozen=frozen)
    model = build(one.model, 4)
    freeze(model, one.train)
    assert training.embeds_alike(model) is alike


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"frozen": "images"}, "it can be vision, text, clip, nothing"),
        ({"precision": "8"}, "it can be 32-true, bf16-mixed"),
        ({"loss": "hinge"}, "it can be cross-entropy, contrastive-mean, kl"),
        ({"lr": 0.0}, "must be above zero"),
        ({"epochs": -1}, "can't be negative"),
        ({"chunk": -1}, "can't be negative"),
        ({"clip_lr_ratio": -0.1}, "train.clip_lr_ratio is -0.1; it can't be negative"),
        ({"weight_decay": -0.1}, "train.weight_decay is -0.1; it can't be negative"),
        ({"twins": -1.0}, "train.twins is -1.0; it can't be negative"),
        ({"decorrelation": -1.0}, "train.decorrelation is -1.0; it can't be negative"),
        ({"label_smoothing": 1.0}, "train.label_smoothing is 1.0; it must be from 0 to below 1"),
        ({"compile": True, "checkpointing": True}, "don't go together"),
    ],
)
def test_settings_that_no_run_can_have(changed, said):
    with pytest.raises(ValueError, match=said):
        check(tiny(**changed))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"temporal": "stan", "options": {"layers": "abc"}},
            "option layers is 'abc'; it must be a whole number",
        ),
        ({"temporal": "magic"}, "temporal method 'magic' is not known"),
        ({"temporal": "stan", "options": {"layers": 99}}, "layers=99: this CLIP has 6 blocks"),
        ({"pretrained": "none.safetensors"}, "pretrained .none.safetensors. is no file and no tag of tiny"),
        ({"similarity": "cosine", "similarity_options": {"heads": 2}}, "cosine has no option heads"),
    ],
)
def test_a_model_that_cannot_be_built_leaves_no_run(changed, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        train(with_parts(tiny(), model=changed), tmp_path, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_data_that_is_not_there(worlds, runs_root):
    with pytest.raises(ValueError, match="batch of 64 from 24"):
        train(tiny(batch=64), runs_root, worlds)
    with pytest.raises(ValueError, match="'charades' is not in the embedded world"):
        train(with_parts(tiny(), data={"suite": "charades"}), runs_root, worlds)


def save_gradients(count: int, out: str, kind: str) -> None:
    """In processes of their own: each computes those of its share of a batch, and the first writes them to `out`."""
    changed = {"loss": "kl", "decorrelation": 0.1} if kind == "tokens" else {}
    experiment = tiny(temporal="stan", frozen="nothing", **changed)
    fabric = Fabric(accelerator="cpu", devices=count, strategy="ddp" if count > 1 else "auto")
    fabric.launch()
    torch.manual_seed(0)
    scores = {"tokens": ("token_interaction", {}), "classifier": ("linear_classifier", {"classes": 4})}
    similarity, options = scores.get(kind, ("cosine", {}))
    model = build(replace(experiment.model, similarity=similarity, similarity_options=options), 2).eval()
    freeze(model, experiment.train)
    objective = fabric.setup(Objective(model))
    texts = ["a red square", "a red square", "a circle", "two stars moving up"]
    batch = {"text": model.clip.tokenize(texts, 12), "video": torch.randn(4, 2, 3, 48, 48)}
    share = slice(fabric.global_rank * 4 // count, (fabric.global_rank + 1) * 4 // count)
    mine = {name: rows[share] for name, rows in batch.items()}
    if kind != "pairs":
        mine |= {"text": batch["text"], "label": torch.tensor([0, 2, 2, 3])[share]}
    fabric.backward(batch_loss(fabric, objective, model, mine, experiment.train))
    if fabric.is_global_zero:
        torch.save({name: p.grad for name, p in model.named_parameters() if p.grad is not None}, out)
    fabric.barrier()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pairs", "label", "tokens", "classifier"])
def test_gradients_of_two_processes_are_those_of_one(tmp_path, kind):
    found = []
    for count in (1, 2):
        out = str(tmp_path / f"{count}.pt")
        if kind == "pairs" and count == 2:  # as users start it: Fabric itself starts the second process
            processes.scripted(tmp_path, (), save_gradients, count, out, kind)
        else:
            processes.forked(tmp_path, count, save_gradients, count, out, kind)
        found.append(torch.load(out))
    one, two = found
    assert one.keys() == two.keys() and len(one) > 100
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-5, msg=name)
    assert max(grad.abs().max() for grad in one.values()) > 1e-2
